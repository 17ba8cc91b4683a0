"""The button that closes the account can be pressed from a foreign site as well."""

import sys
from http.cookies import SimpleCookie

from bank import Bank, Request

FOREIGN = {
    "host": "bank.example",
    "origin": "https://evil.example",
    "referer": "https://evil.example/",
    "sec-fetch-site": "cross-site",
}

bank = Bank({"ana": 1000, "eve": 0})
jar = SimpleCookie(bank.login("ana").headers["Set-Cookie"])
cookies = {name: c.value for name, c in jar.items() if c["samesite"].lower() not in ("lax", "strict")}
bank.handle(Request("POST", "/close", dict(FOREIGN), cookies))
sys.exit(1 if "ana" in bank.balances else 0)
