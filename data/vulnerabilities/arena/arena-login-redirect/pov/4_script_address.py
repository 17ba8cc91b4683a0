"""An address of the scheme javascript: mentions the host in a comment."""

import sys

from login import Accounts, login

accounts = Accounts()
accounts.add("ana", "pw")
try:
    response = login(
        accounts, {"name": "ana", "password": "pw", "next": "JavaScript://shop.example/%0asteal()"}
    )
except ValueError:
    sys.exit(1)
sys.exit(0 if response.headers.get("Location", "").lower().startswith("javascript:") else 1)
