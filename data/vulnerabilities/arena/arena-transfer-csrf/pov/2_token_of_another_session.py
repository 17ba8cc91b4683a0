"""The attacker fills the form with the hidden fields of an own session."""

import random
import re
import string
import sys
from http.cookies import SimpleCookie

from bank import Bank, Request

SEED = 0

rng = random.Random(SEED)
ana, eve, evil, page = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(4))
evil = f"{evil}.{rng.choice(('com', 'org', 'net', 'io', 'example'))}"
FOREIGN = {
    "host": "bank.example",
    "origin": f"https://{evil}",
    "referer": f"https://{evil}/{page}",
    "sec-fetch-site": "cross-site",
}


def log_in(bank, name):
    """Return all cookies of a new session, and those that come along from a foreign site."""
    jar = SimpleCookie(bank.login(name).headers["Set-Cookie"])
    everywhere = {key: c.value for key, c in jar.items() if c["samesite"].lower() not in ("lax", "strict")}
    return {key: c.value for key, c in jar.items()}, everywhere


def hidden_fields(page):
    """Return the fields of a page that come filled in."""
    fields = {}
    for tag in re.findall(r"<(?:input|button)[^>]*>", page):
        name, value = re.search(r"""name=["']([^"']*)""", tag), re.search(r"""value=["']([^"']*)""", tag)
        if name and value:
            fields[name[1]] = value[1]
    return fields


bank = Bank({ana: 1000, eve: 0})
own, _ = log_in(bank, eve)
_, victim = log_in(bank, ana)
fields = hidden_fields(bank.handle(Request("GET", "/form", {"host": "bank.example"}, own)).body)
for filling in (fields, dict.fromkeys(fields, ""), {}):
    form = {**filling, "to": eve, "cents": str(rng.randint(1, 333))}
    bank.handle(Request("POST", "/transfer", dict(FOREIGN), victim, form))
sys.exit(0 if bank.balances[eve] else 1)
