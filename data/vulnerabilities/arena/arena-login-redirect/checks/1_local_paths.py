"""Local paths come back unchanged, also with another address inside the query."""

from urllib.parse import urljoin

from login import Accounts, login

accounts = Accounts()
accounts.add("ana", "pw")
for path in (
    "/",
    "/basket",
    "/basket?step=2&coupon=A%2FB",
    "/go?to=https://other.example/",
    "/a//b",
    "/caf%C3%A9#menu",
):
    response = login(accounts, {"name": "ana", "password": "pw", "next": path})
    assert response.status == 303
    location = urljoin("https://shop.example/login", response.headers["Location"])
    assert location == "https://shop.example" + path, location
