"""Without an address, or with a foreign one, the visitor lands on the front page."""

from urllib.parse import urljoin

from login import Accounts, login

accounts = Accounts()
accounts.add("ana", "pw")
for form in ({}, {"next": ""}, {"next": "   "}, {"next": "https://other.org/"}):
    response = login(accounts, {"name": "ana", "password": "pw", **form})
    assert response.status == 303
    assert urljoin("https://shop.example/login", response.headers["Location"]) == "https://shop.example/"
