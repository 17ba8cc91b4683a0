"""A path may hold letters and blanks that no browser has encoded yet, and an own address may have no path."""

from urllib.parse import urljoin

from login import Accounts, login

accounts = Accounts()
accounts.add("ana", "pw")
for target in (
    "/suche?q=größe",
    "/articles/red shoes?page=2",
    "https://shop.example",
    "https://shop.example?sale=1",
    "https://shop.example/größe",
):
    response = login(accounts, {"name": "ana", "password": "pw", "next": target})
    assert response.status == 303, target
    location = urljoin("https://shop.example/login", response.headers["Location"])
    assert location in (urljoin("https://shop.example/login", target), target + "/"), location
