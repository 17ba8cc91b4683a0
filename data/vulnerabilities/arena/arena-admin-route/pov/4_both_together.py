"""An editor becomes something else by an override on an untidy path."""

import random
import string
import sys

from news import Request, Site

SEED = 0

rng = random.Random(SEED)
user, granted, folder = ("".join(rng.choices(string.ascii_lowercase, k=7)) for _ in range(3))
site = Site()
site.users[user] = "editor"
for path in (f"//admin/users/{user}", f"/{folder}/..//admin/users/{user}", f"/ADMIN/users/{user}"):
    for method, headers in (("POST", {"x-http-method-override": "PUT"}), ("PUT", {})):
        try:
            site.handle(Request(method, path, "editor", headers, granted))
        except (ValueError, PermissionError):
            continue
sys.exit(0 if site.users[user] == granted else 1)
