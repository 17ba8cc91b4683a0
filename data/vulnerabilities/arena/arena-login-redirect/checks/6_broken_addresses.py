"""An address that nobody can read leads to the front page, too, and the next visitor is served."""

from urllib.parse import urljoin

from login import Accounts, login

accounts = Accounts()
accounts.add("ana", "pw")
for address in ("https://[:1]/", "http://[", "https://[::1", "/basket"):
    response = login(accounts, {"name": "ana", "password": "pw", "next": address})
    assert response.status == 303, address
    place = "/basket" if address == "/basket" else "/"
    location = response.headers["Location"]
    assert urljoin("https://shop.example/login", location) == f"https://shop.example{place}", (address, location)
