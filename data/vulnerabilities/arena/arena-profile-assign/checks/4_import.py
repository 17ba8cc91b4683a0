"""Rows change the accounts that they name and are counted; unknown numbers are passed over."""

from members import Account, import_rows

accounts = [Account(7, "Ana"), Account(8, "Bob")]
rows = [
    {"number": "8", "name": "Robert", "address.city": "Faro", "newsletter": "yes"},
    {"number": "99", "name": "Nobody"},
    {"number": "7", "settings.language": "de"},
    {"name": "no number"},
]
assert import_rows(accounts, rows) == 2
assert (accounts[1].name, accounts[1].address.city, accounts[1].newsletter) == ("Robert", "Faro", True)
assert (accounts[0].name, accounts[0].settings.language) == ("Ana", "de")
assert [account.number for account in accounts] == [7, 8]
assert import_rows(accounts, []) == 0
