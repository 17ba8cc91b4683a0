"""A visitor opens the form, fills it in and sends it: the money moves, several times in a row.

What a foreign page sends in between does not spoil the form.
"""

import re
from http.cookies import SimpleCookie

from bank import Bank, Request

SAME = {
    "host": "bank.example",
    "origin": "https://bank.example",
    "referer": "https://bank.example/form",
    "sec-fetch-site": "same-origin",
}


def fill_in(page, **typed):
    """Return the fields of a page, those that come filled in and those that are typed."""
    fields = {}
    for tag in re.findall(r"<(?:input|button)[^>]*>", page):
        name, value = re.search(r"""name=["']([^"']*)""", tag), re.search(r"""value=["']([^"']*)""", tag)
        if name and value:
            fields[name[1]] = value[1]
    return {**fields, **typed}


bank = Bank({"ana": 1000, "bob": 0})
jar = SimpleCookie(bank.login("ana").headers["Set-Cookie"])
cookies = {name: cookie.value for name, cookie in jar.items()}
for expected in (250, 500):
    page = bank.handle(Request("GET", "/form", {"host": "bank.example"}, cookies))
    assert page.status == 200
    assert 'name="to"' in page.body
    foreign = {"host": "bank.example", "origin": "https://other.example", "sec-fetch-site": "cross-site"}
    bank.handle(Request("POST", "/transfer", foreign, cookies, {"to": "bob", "cents": "x"}))
    form = fill_in(page.body, to="bob", cents="250")
    answer = bank.handle(Request("POST", "/transfer", dict(SAME), cookies, form))
    assert answer.status == 303, answer
    assert bank.balances == {"ana": 1000 - expected, "bob": expected}
