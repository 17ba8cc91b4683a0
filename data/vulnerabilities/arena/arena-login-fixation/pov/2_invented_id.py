"""An id that the shop never gave out is taken over as well."""

import random
import string
import sys

from shop import Request, Shop

SEED = 0

rng = random.Random(SEED)
name, password = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(2))
ids = (
    "".join(rng.choices(string.ascii_letters + string.digits + "-_", k=rng.randint(5, 22))),
    rng.choice(string.ascii_letters) * 64,
    f"{rng.getrandbits(128):032x}",
)
shop = Shop({name: password})
for invented in ids:
    shop.handle(Request("/login", {"sid": invented}, form={"name": name, "password": password}))
    seen = shop.handle(Request("/account", {"sid": invented}))
    if seen.status == 200 and name in seen.body:
        sys.exit(0)
sys.exit(1)
