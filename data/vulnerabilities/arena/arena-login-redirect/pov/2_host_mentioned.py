"""A foreign address that mentions the shop's host anywhere passes for the shop."""

import random
import string
import sys
from urllib.parse import urljoin, urlsplit

from login import Accounts, login

SEED = 0

rng = random.Random(SEED)
name, password, label, page = (
    "".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(4)
)
evil = f"{label}.{rng.choice(('com', 'org', 'net', 'io', 'example'))}"
ADDRESSES = (
    f"https://{evil}/shop.example",
    f"https://shop.example.{evil}/{page}",
    f"\0https://shop.example.{evil}/",
    f"https://shop.example@{evil}/",
    f"https://{evil}/?{page}=https://shop.example/",
    f"https://{label}shop.example/",
)

accounts = Accounts()
accounts.add(name, password)
for address in ADDRESSES:
    try:
        response = login(accounts, {"name": name, "password": password, "next": address})
    except ValueError:
        continue
    location = urljoin("https://shop.example/login", response.headers.get("Location", ""))
    if urlsplit(location).hostname != "shop.example":
        sys.exit(0)
sys.exit(1)
