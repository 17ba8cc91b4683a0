"""A link carries the id: the victim follows it, logs in on the next page, and the attacker follows it too."""

import sys

from shop import Request, Shop

shop = Shop({"ana": "pw"})
given = shop.handle(Request("/")).cookies["sid"]
for planted in (given, "evil-2"):
    jar = {}
    for path, query, form in (("/", {"sid": planted}, {}), ("/login", {}, {"name": "ana", "password": "pw"})):
        response = shop.handle(Request(path, dict(jar), query, form))
        jar.update({name: value for name, value in response.cookies.items() if value})
    for request in (Request("/account", {"sid": planted}), Request("/account", query={"sid": planted})):
        seen = shop.handle(request)
        if seen.status == 200 and "ana" in seen.body:
            sys.exit(0)
sys.exit(1)
