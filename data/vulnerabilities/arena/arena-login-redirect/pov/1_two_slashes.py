"""An address that begins with two slashes leads to a foreign host."""

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
accounts = Accounts()
accounts.add(name, password)
try:
    response = login(accounts, {"name": name, "password": password, "next": f"//{evil}/{page}"})
except ValueError:
    sys.exit(1)
location = urljoin("https://shop.example/login", response.headers.get("Location", ""))
sys.exit(0 if urlsplit(location).hostname == evil else 1)
