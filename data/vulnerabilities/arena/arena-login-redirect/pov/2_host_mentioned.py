"""A foreign address that mentions the shop's host anywhere passes for the shop."""

import sys
from urllib.parse import urljoin, urlsplit

from login import Accounts, login

ADDRESSES = (
    "https://evil.example/shop.example",
    "https://shop.example.evil.example/",
    "https://shop.example@evil.example/",
    "https://evil.example/?from=https://shop.example/",
    "https://notshop.example/",
)

accounts = Accounts()
accounts.add("ana", "pw")
for address in ADDRESSES:
    try:
        response = login(accounts, {"name": "ana", "password": "pw", "next": address})
    except ValueError:
        continue
    location = urljoin("https://shop.example/login", response.headers.get("Location", ""))
    if urlsplit(location).hostname != "shop.example":
        sys.exit(0)
sys.exit(1)
