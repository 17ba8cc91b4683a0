"""//evil.example/ begins with a slash and leads to a foreign host."""

import sys
from urllib.parse import urljoin, urlsplit

from login import Accounts, login

accounts = Accounts()
accounts.add("ana", "pw")
try:
    response = login(accounts, {"name": "ana", "password": "pw", "next": "//evil.example/login"})
except ValueError:
    sys.exit(1)
location = urljoin("https://shop.example/login", response.headers.get("Location", ""))
sys.exit(0 if urlsplit(location).hostname == "evil.example" else 1)
