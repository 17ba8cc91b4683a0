"""Amounts of any size and in the digits of any script are sent, as before."""

import re
from http.cookies import SimpleCookie

from bank import Bank, Request

SAME = {
    "host": "bank.example",
    "origin": "https://bank.example",
    "referer": "https://bank.example/form",
    "sec-fetch-site": "same-origin",
}

bank = Bank({"ana": 10**17, "bob": 0})
jar = SimpleCookie(bank.login("ana").headers["Set-Cookie"])
cookies = {name: cookie.value for name, cookie in jar.items()}
sent = 0
for typed, cents in (("007", 7), ("\uff11\uff10\uff10", 100), ("\u0662\u0665", 25), (str(10**16), 10**16)):
    page = bank.handle(Request("GET", "/form", {"host": "bank.example"}, cookies)).body
    tags = re.findall(r"""<input[^>]*name=["']([^"']*)["'][^>]*value=["']([^"']*)""", page)
    form = {**dict(tags), "to": "bob", "cents": typed}
    assert bank.handle(Request("POST", "/transfer", dict(SAME), cookies, form)).status == 303, typed
    sent += cents
    assert bank.balances == {"ana": 10**17 - sent, "bob": sent}, typed
