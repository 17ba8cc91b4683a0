"""More than one slash in front hides the path from the guard."""

import random
import string
import sys

from news import Request, Site

SEED = 0

rng = random.Random(SEED)
user = "".join(rng.choices(string.ascii_lowercase, k=8))
role = "".join(rng.choices(string.ascii_lowercase, k=6))
site = Site()
site.users[user] = role
try:
    response = site.handle(Request("GET", "/" * rng.randint(2, 5) + "admin/users"))
except (ValueError, PermissionError):
    sys.exit(1)
sys.exit(0 if f"{user}: {role}" in response.body else 1)
