"""Visitors see their own basket and account only; a guest may pass the id in the address."""

from shop import Request, Shop

shop = Shop({"ana": "pw", "bob": "pw2"})
jars = []
for name, password, article in (("ana", "pw", "tea"), ("bob", "pw2", "milk")):
    jar = dict(shop.handle(Request("/")).cookies)
    jar.update(shop.handle(Request("/add", jar, form={"article": article})).cookies)
    jar.update(shop.handle(Request("/login", jar, form={"name": name, "password": password})).cookies)
    jars.append(jar)
assert jars[0]["sid"] != jars[1]["sid"]
assert shop.handle(Request("/account", jars[0])).body == "account of ana"
assert shop.handle(Request("/account", jars[1])).body == "account of bob"
assert shop.handle(Request("/basket", jars[0])).body == "tea"
guest = shop.handle(Request("/")).cookies["sid"]
shop.handle(Request("/add", query={"sid": guest}, form={"article": "honey"}))
assert shop.handle(Request("/basket", query={"sid": guest})).body == "honey"
