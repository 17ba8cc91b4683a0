"""Tokens are text that stands in an address as it is, and can be told apart from each other."""

import string
from urllib.parse import parse_qs, urlsplit

from resets import Resets

resets = Resets()
tokens = [resets.request(f"member{number}@example.org") for number in range(50)]
assert len(set(tokens)) == 50
for token in tokens:
    assert isinstance(token, str)
    assert set(token) <= set(string.ascii_letters + string.digits + "-_.~")
    assert len(token) <= 128
    link = resets.link(token)
    assert parse_qs(urlsplit(link).query) == {"token": [token]}
assert resets.redeem(tokens[7]) == "member7@example.org"
