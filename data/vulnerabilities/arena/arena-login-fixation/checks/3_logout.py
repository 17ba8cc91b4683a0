"""After the logout the visitor is a guest with an empty basket, also with the old cookie."""

from shop import Request, Shop

shop = Shop({"ana": "pw"})
cookies = dict(shop.handle(Request("/")).cookies)
cookies.update(shop.handle(Request("/login", cookies, form={"name": "ana", "password": "pw"})).cookies)
shop.handle(Request("/add", cookies, form={"article": "tea"}))
assert shop.handle(Request("/logout", cookies)).status == 303
assert shop.handle(Request("/account", cookies)).status == 401
assert shop.handle(Request("/basket", cookies)).body == ""
assert shop.handle(Request("/nowhere", cookies)).status == 404
