"""Origins that are empty, opaque or merely look like the bank's, as an attacker can choose them."""

import random
import string
import sys
from http.cookies import SimpleCookie

from bank import Bank, Request

SEED = 0

rng = random.Random(SEED)
ana, eve, evil, page = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(4))
evil = f"{evil}.{rng.choice(('com', 'org', 'net', 'io', 'example'))}"
SENT = (
    {"origin": "null", "sec-fetch-site": "cross-site"},
    {"origin": f"https://bank.example.{evil}", "referer": f"https://bank.example.{evil}/{page}"},
    {"origin": f"https://{evil}", "referer": f"https://{evil}/?https://bank.example/form"},
    {"origin": f"https://{page}bank.example", "referer": f"https://{page}bank.example/"},
)

bank = Bank({ana: 1000, eve: 0})
jar = SimpleCookie(bank.login(ana).headers["Set-Cookie"])
cookies = {name: c.value for name, c in jar.items() if c["samesite"].lower() not in ("lax", "strict")}
for headers in SENT:
    form = {"to": eve, "cents": str(rng.randint(1, 250))}
    bank.handle(Request("POST", "/transfer", {"host": "bank.example", **headers}, cookies, form))
sys.exit(0 if bank.balances[eve] else 1)
