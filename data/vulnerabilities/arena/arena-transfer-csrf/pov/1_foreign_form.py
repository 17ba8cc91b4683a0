"""A form on a foreign site sends a transfer with the visitor's cookie."""

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
kept_at_home = {name for name, cookie in jar.items() if cookie["samesite"].lower() in ("lax", "strict")}
cookies = {name: cookie.value for name, cookie in jar.items() if name not in kept_at_home}
bank.handle(Request("POST", "/transfer", dict(FOREIGN), cookies, {"to": "eve", "cents": "900"}))
sys.exit(0 if bank.balances["eve"] else 1)
