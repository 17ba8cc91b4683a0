"""An address of a scheme that runs a script mentions the host in a comment."""

import random
import string
import sys

from login import Accounts, login

SEED = 0

rng = random.Random(SEED)
name, password, call = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(3))

accounts = Accounts()
accounts.add(name, password)
for scheme, rest in (
    ("JavaScript:", f"//shop.example/%0a{call}()"),
    ("javascript:", f"{call}(/shop.example/)"),
    ("data:", f"text/html,shop.example<script>{call}()</script>"),
):
    try:
        response = login(accounts, {"name": name, "password": password, "next": scheme + rest})
    except ValueError:
        continue
    if response.headers.get("Location", "").lower().startswith(scheme.lower()):
        sys.exit(0)
sys.exit(1)
