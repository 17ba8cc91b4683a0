"""A form may hold some of the fields; the others stay."""

from members import Account, update

account = Account(7, "Ana", "ana@example.org", newsletter=True)
account.address.city = "Porto"
update(account, {"address.street": "Side Road 1"})
assert (account.name, account.email, account.newsletter) == ("Ana", "ana@example.org", True)
assert (account.address.street, account.address.city) == ("Side Road 1", "Porto")
update(account, {"newsletter": "no", "name": "role"})
assert (account.newsletter, account.name, account.role) == (False, "role", "member")
update(account, {"email": "", "settings.theme": ""} | {"email": "new@example.org"})
assert (account.email, account.settings.theme) == ("new@example.org", "")
assert update(account, {}).name == "role"
for yes in ("1", "true", " YES "):
    assert update(Account(1, "x"), {"newsletter": yes}).newsletter is True
