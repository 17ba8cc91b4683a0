"""The overview shows the balance, and its button closes the account and the session."""

import re
from http.cookies import SimpleCookie

from bank import Bank, Request

SAME = {
    "host": "bank.example",
    "origin": "https://bank.example",
    "referer": "https://bank.example/",
    "sec-fetch-site": "same-origin",
}

bank = Bank({"ana": 1000, "bob": 0})
jar = SimpleCookie(bank.login("ana").headers["Set-Cookie"])
cookies = {name: cookie.value for name, cookie in jar.items()}
page = bank.handle(Request("GET", "/", {"host": "bank.example"}, cookies))
assert "ana: 1000 cents" in page.body
form = {}
for tag in re.findall(r"<(?:input|button)[^>]*>", page.body):
    name, value = re.search(r"""name=["']([^"']*)""", tag), re.search(r"""value=["']([^"']*)""", tag)
    if name and value:
        form[name[1]] = value[1]
assert bank.handle(Request("POST", "/close", dict(SAME), cookies, form)).status == 200
assert bank.balances == {"bob": 0}
assert bank.handle(Request("GET", "/", {}, cookies)).status == 401
