"""The attacker is logged in on the planted session already when the victim logs in over it."""

import random
import string
import sys

from shop import Request, Shop

SEED = 0

rng = random.Random(SEED)
name, password, eve, other = (
    "".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(4)
)
shop = Shop({name: password, eve: other})
planted = shop.handle(Request("/")).cookies["sid"]
response = shop.handle(Request("/login", {"sid": planted}, form={"name": eve, "password": other}))
own = response.cookies.get("sid") or planted
shop.handle(Request("/login", {"sid": own}, form={"name": name, "password": password}))
for session_id in {planted, own}:
    seen = shop.handle(Request("/account", {"sid": session_id}))
    if seen.status == 200 and name in seen.body:
        sys.exit(0)
sys.exit(1)
