"""Unknown accounts, odd amounts and too little money move nothing; without session nothing is shown."""

import re
from http.cookies import SimpleCookie

from bank import Bank, Request

SAME = {
    "host": "bank.example",
    "origin": "https://bank.example",
    "referer": "https://bank.example/form",
    "sec-fetch-site": "same-origin",
}

bank = Bank({"ana": 1000, "bob": 0})
jar = SimpleCookie(bank.login("ana").headers["Set-Cookie"])
cookies = {name: cookie.value for name, cookie in jar.items()}
page = bank.handle(Request("GET", "/form", {"host": "bank.example"}, cookies)).body
tags = re.findall(r"""<input[^>]*name=["']([^"']*)["'][^>]*value=["']([^"']*)""", page)
for to, cents in (("carl", "1"), ("bob", "-5"), ("bob", "x"), ("bob", "1001"), ("", "")):
    form = {**dict(tags), "to": to, "cents": cents}
    assert bank.handle(Request("POST", "/transfer", dict(SAME), cookies, form)).status == 400
assert bank.balances == {"ana": 1000, "bob": 0}
assert bank.handle(Request("GET", "/")).status == 401
assert bank.handle(Request("GET", "/", {}, {"session": "guess"})).status == 401
assert bank.handle(Request("GET", "/other", {}, cookies)).status == 404
