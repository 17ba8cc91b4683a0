"""Browsers read a backslash as a slash and drop tabs and line ends inside an address."""

import sys
from urllib.parse import urljoin, urlsplit

from login import Accounts, login

ADDRESSES = (
    r"/\evil.example/",
    r"\/evil.example/?shop.example",
    r"\\evil.example/?shop.example",
    "/\t/evil.example/",
    "/\n/evil.example/",
    "///evil.example/",
)


def browser_goes_to(location):
    """Return the host that a browser visits, by the WHATWG rules that matter here."""
    location = location.strip("".join(map(chr, range(33))))
    for dropped in "\t\n\r":
        location = location.replace(dropped, "")
    location = location.replace("\\", "/")
    if location.startswith("//"):
        location = "https://" + location.lstrip("/")
    return urlsplit(urljoin("https://shop.example/login", location)).hostname


accounts = Accounts()
accounts.add("ana", "pw")
for address in ADDRESSES:
    try:
        response = login(accounts, {"name": "ana", "password": "pw", "next": address})
    except ValueError:
        continue
    if browser_goes_to(response.headers.get("Location", "")) != "shop.example":
        sys.exit(0)
sys.exit(1)
