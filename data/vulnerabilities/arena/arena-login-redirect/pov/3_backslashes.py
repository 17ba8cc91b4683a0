"""Browsers read a backslash as a slash and drop tabs and line ends inside an address."""

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
    rf"/\{evil}/",
    rf"\/{evil}/?shop.example",
    rf"\\{evil}/?shop.example",
    f"/\t/{evil}/{page}",
    f"/\n/{evil}/",
    f"///{evil}/",
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
accounts.add(name, password)
for address in ADDRESSES:
    try:
        response = login(accounts, {"name": name, "password": password, "next": address})
    except ValueError:
        continue
    if browser_goes_to(response.headers.get("Location", "")) != "shop.example":
        sys.exit(0)
sys.exit(1)
