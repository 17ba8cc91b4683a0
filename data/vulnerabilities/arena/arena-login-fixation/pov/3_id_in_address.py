"""A link carries the id: the victim follows it, logs in on the next page, and the attacker follows it too."""

import random
import string
import sys

from shop import Request, Shop

SEED = 0

rng = random.Random(SEED)
name, password, invented = (
    "".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(3)
)
shop = Shop({name: password})
given = shop.handle(Request("/")).cookies["sid"]
for planted in (given, invented):
    jar = {}
    for path, query, form in (
        ("/", {"sid": planted}, {}),
        ("/login", {}, {"name": name, "password": password}),
    ):
        response = shop.handle(Request(path, dict(jar), query, form))
        jar.update({key: value for key, value in response.cookies.items() if value})
    for request in (Request("/account", {"sid": planted}), Request("/account", query={"sid": planted})):
        seen = shop.handle(request)
        if seen.status == 200 and name in seen.body:
            sys.exit(0)
sys.exit(1)
