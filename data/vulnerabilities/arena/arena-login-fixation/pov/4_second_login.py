"""The attacker is logged in on the planted session already when the victim logs in over it."""

import sys

from shop import Request, Shop

shop = Shop({"ana": "pw", "eve": "evil"})
planted = shop.handle(Request("/")).cookies["sid"]
response = shop.handle(Request("/login", {"sid": planted}, form={"name": "eve", "password": "evil"}))
own = response.cookies.get("sid") or planted
shop.handle(Request("/login", {"sid": own}, form={"name": "ana", "password": "pw"}))
for session_id in {planted, own}:
    seen = shop.handle(Request("/account", {"sid": session_id}))
    if seen.status == 200 and "ana" in seen.body:
        sys.exit(0)
sys.exit(1)
