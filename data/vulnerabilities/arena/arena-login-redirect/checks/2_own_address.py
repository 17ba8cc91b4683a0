"""An absolute address of the shop itself is kept."""

from urllib.parse import urljoin

from login import Accounts, login

accounts = Accounts()
accounts.add("ana", "pw")
address = "https://shop.example/orders?page=2"
response = login(accounts, {"name": "ana", "password": "pw", "next": address})
assert response.status == 303
assert urljoin("https://shop.example/login", response.headers["Location"]) == address
