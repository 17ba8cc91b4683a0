"""The button that closes the account can be pressed from a foreign site as well."""

import random
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

bank = Bank({ana: 1000, eve: 0})
jar = SimpleCookie(bank.login(ana).headers["Set-Cookie"])
cookies = {name: c.value for name, c in jar.items() if c["samesite"].lower() not in ("lax", "strict")}
bank.handle(Request("POST", "/close", dict(FOREIGN), cookies))
sys.exit(1 if ana in bank.balances else 0)
