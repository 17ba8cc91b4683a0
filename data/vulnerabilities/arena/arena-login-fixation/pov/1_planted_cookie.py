"""The attacker opens a session, plants its id, and shares it after the victim's login."""

import sys

from shop import Request, Shop

shop = Shop({"ana": "pw"})
planted = shop.handle(Request("/")).cookies["sid"]
shop.handle(Request("/login", {"sid": planted}, form={"name": "ana", "password": "pw"}))
seen = shop.handle(Request("/account", {"sid": planted}))
sys.exit(0 if seen.status == 200 and "ana" in seen.body else 1)
