"""The basket is kept over requests over the login and over a second one."""

from shop import Request, Shop


class Browser:
    """Keeps the cookies of the shop."""

    def __init__(self, shop):
        self.shop, self.cookies = shop, {}

    def open(self, path, **form):
        response = self.shop.handle(Request(path, dict(self.cookies), form=form))
        self.cookies.update(response.cookies)
        return response


browser = Browser(Shop({"ana": "pw"}))
assert browser.open("/add", article="tea").status == 303
browser.open("/add", article="kettle")
assert browser.open("/add").status == 400
assert browser.open("/basket").body == "tea, kettle"
browser.open("/login", name="ana", password="typo")
assert browser.open("/basket").body == "tea, kettle"
browser.open("/login", name="ana", password="pw")
assert browser.open("/basket").body == "tea, kettle"
browser.open("/add", article="cup")
assert browser.open("/basket").body == "tea, kettle, cup"
browser.open("/login", name="ana", password="pw")
assert browser.open("/basket").body == "tea, kettle, cup"
assert browser.open("/account").body == "account of ana"
