"""A form on a foreign site sends a transfer with the visitor's cookie."""

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
kept_at_home = {name for name, cookie in jar.items() if cookie["samesite"].lower() in ("lax", "strict")}
cookies = {name: cookie.value for name, cookie in jar.items() if name not in kept_at_home}
bank.handle(
    Request("POST", "/transfer", dict(FOREIGN), cookies, {"to": eve, "cents": str(rng.randint(1, 999))})
)
sys.exit(0 if bank.balances[eve] else 1)
