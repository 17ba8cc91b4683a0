"""Origins that are empty, opaque or merely look like the bank's, as an attacker can choose them."""

import sys
from http.cookies import SimpleCookie

from bank import Bank, Request

SENT = (
    {"origin": "null", "sec-fetch-site": "cross-site"},
    {"origin": "https://bank.example.evil.example", "referer": "https://bank.example.evil.example/"},
    {"origin": "https://evil.example", "referer": "https://evil.example/?https://bank.example/form"},
    {"origin": "https://notbank.example", "referer": "https://notbank.example/"},
)

bank = Bank({"ana": 1000, "eve": 0})
jar = SimpleCookie(bank.login("ana").headers["Set-Cookie"])
cookies = {name: c.value for name, c in jar.items() if c["samesite"].lower() not in ("lax", "strict")}
for headers in SENT:
    form = {"to": "eve", "cents": "100"}
    bank.handle(Request("POST", "/transfer", {"host": "bank.example", **headers}, cookies, form))
sys.exit(0 if bank.balances["eve"] else 1)
