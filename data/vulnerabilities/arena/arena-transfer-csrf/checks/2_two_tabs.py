"""Forms that were opened in two tabs both work, also next to the session of another owner."""

import re
from http.cookies import SimpleCookie

from bank import Bank, Request

SAME = {
    "host": "bank.example",
    "origin": "https://bank.example",
    "referer": "https://bank.example/form",
    "sec-fetch-site": "same-origin",
}


def log_in(bank, name):
    """Return the cookies of a new session."""
    jar = SimpleCookie(bank.login(name).headers["Set-Cookie"])
    return {key: cookie.value for key, cookie in jar.items()}


def open_form(bank, cookies):
    """Return the fields that come filled in."""
    page = bank.handle(Request("GET", "/form", {"host": "bank.example"}, cookies)).body
    fields = {}
    for tag in re.findall(r"<(?:input|button)[^>]*>", page):
        name, value = re.search(r"""name=["']([^"']*)""", tag), re.search(r"""value=["']([^"']*)""", tag)
        if name and value:
            fields[name[1]] = value[1]
    return fields


bank = Bank({"ana": 1000, "bob": 50})
ana, bob = log_in(bank, "ana"), log_in(bank, "bob")
tabs = [
    (ana, "bob", open_form(bank, ana)),
    (bob, "ana", open_form(bank, bob)),
    (ana, "bob", open_form(bank, ana)),
]
for cookies, to, fields in tabs:
    form = {**fields, "to": to, "cents": "10"}
    assert bank.handle(Request("POST", "/transfer", dict(SAME), cookies, form)).status == 303
assert bank.balances == {"ana": 990, "bob": 60}
