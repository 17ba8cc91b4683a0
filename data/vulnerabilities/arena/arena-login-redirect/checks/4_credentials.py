"""A wrong password is refused without a redirect; a right one sets the cookie, wherever it leads."""

from login import Accounts, login

accounts = Accounts()
accounts.add("ana", "pw")
for form in ({"name": "ana", "password": "no"}, {"name": "bo", "password": "pw"}, {}):
    response = login(accounts, {**form, "next": "/basket"})
    assert response.status == 401
    assert "Location" not in response.headers
response = login(accounts, {"name": "ana", "password": "pw"})
assert response.headers["Set-Cookie"].startswith("user=ana;")
for target in ("/basket", " /basket ", "//other.example/", "https://shop.example/", ""):
    response = login(accounts, {"name": "ana", "password": "pw", "next": target})
    assert response.status == 303, target
    assert response.headers["Set-Cookie"].startswith("user=ana;"), target
