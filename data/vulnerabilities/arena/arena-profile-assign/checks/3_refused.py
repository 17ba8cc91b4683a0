"""An address without @ changes nothing; unknown fields never create attributes."""

from members import Account, ProfileError, update

account = Account(7, "Ana", "ana@example.org")
try:
    update(account, {"name": "Bob", "email": "nowhere"})
except ProfileError:
    pass
else:
    raise AssertionError("an address without @")
assert (account.name, account.email) == ("Ana", "ana@example.org")
for name in ("nickname", "address.planet", "", ".", "name."):
    try:
        update(account, {name: "x"})
    except ProfileError:
        pass
assert not hasattr(account, "nickname")
assert not hasattr(account.address, "planet")
assert vars(account).keys() == vars(Account(1, "x")).keys()
assert update(account, {"name": "Bob", "email": "bob@example.org"}).email == "bob@example.org"
