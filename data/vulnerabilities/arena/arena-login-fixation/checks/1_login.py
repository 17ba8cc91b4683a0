"""After the login the account is open with the cookies of the browser, in every later request."""

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
assert browser.open("/").body == "Welcome guest"
assert browser.open("/account").status == 401
assert browser.open("/login", name="ana", password="no").status == 401
assert browser.open("/login", name="bob", password="pw").status == 401
assert browser.open("/account").status == 401
assert browser.open("/login", name="ana", password="pw").status == 303
for _ in range(3):
    assert browser.open("/account").body == "account of ana"
assert browser.open("/").body == "Welcome ana"
