"""After a refused login the visitor logs in, with the basket; two shops share nothing, and unknown pages cost nothing."""

from shop import Request, Shop

shop, other = Shop({"ana": "pw", "bo": ""}), Shop({"ana": "pw"})
cookies = {}


def ask(path, **more):
    """Send a request with the cookies of the browser, and keep those of the answer."""
    response = shop.handle(Request(path, cookies=dict(cookies), **more))
    cookies.update(response.cookies)
    return response


assert ask("/add", form={"article": "tea"}).status == 303
for form in ({}, {"name": "ana"}, {"name": "ana", "password": "no"}, {"name": "eve", "password": "pw"}, {"password": "pw"}):
    assert ask("/login", form=form).status == 401, form
    assert ask("/account").status == 401
assert ask("/add", form={}).status == ask("/add", form={"article": ""}).status == 400
assert ask("/nothing").status == 404
assert ask("/basket").body == "tea"
assert ask("/login", form={"name": "ana", "password": "pw"}).status == 303
assert ask("/login", form={"name": "ana", "password": "wrong"}).status == 401
assert ask("/account").body == "account of ana" and ask("/").body == "Welcome ana"
assert ask("/basket").body == "tea"
assert ask("/login", form={"name": "bo", "password": ""}).status == 303
assert ask("/account").body == "account of bo"
assert other.handle(Request("/account", cookies=dict(cookies))).status == 401
for _ in range(2):
    assert ask("/logout").status == 303
    assert ask("/account").status == 401 and ask("/basket").body == ""
