"""An id that the shop never gave out is taken over as well."""

import sys

from shop import Request, Shop

shop = Shop({"ana": "pw"})
for invented in ("evil-1", "x" * 64):
    shop.handle(Request("/login", {"sid": invented}, form={"name": "ana", "password": "pw"}))
    seen = shop.handle(Request("/account", {"sid": invented}))
    if seen.status == 200 and "ana" in seen.body:
        sys.exit(0)
sys.exit(1)
