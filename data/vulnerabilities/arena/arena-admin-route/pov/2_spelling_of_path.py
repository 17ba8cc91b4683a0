"""Capitals, escapes, dots and backslashes are put in order after the guard has looked."""

import random
import string
import sys

from news import Request, Site

SEED = 0

rng = random.Random(SEED)
user, folder = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(2))
at = rng.randrange(5)
capital = "admin"[:at] + "admin"[at].upper() + "admin"[at + 1 :]
escaped = "admin"[:at] + f"%{ord('admin'[at]):x}" + "admin"[at + 1 :]
PATHS = (
    f"/{capital}/users",
    f"/{escaped}/users",
    "/./admin/users",
    f"/{folder}/../admin/users",
    f"/{folder}/%2e%2e/{capital}/users/",
    "\\admin\\users",
    "\\\\admin\\users",
    "/%2Fadmin/users",
    "admin/users",
)

site = Site()
site.users[user] = "reader"
for path in PATHS:
    try:
        response = site.handle(Request("GET", path))
    except (ValueError, PermissionError):
        continue
    if f"{user}: reader" in response.body:
        sys.exit(0)
sys.exit(1)
