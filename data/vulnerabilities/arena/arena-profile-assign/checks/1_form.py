"""The fields of the form are set, with blanks around them removed."""

from members import FORM, Account, update

account = Account(7, "Ana")
form = {
    "name": " Zoë O'Hara ",
    "email": "zoe@example.org",
    "newsletter": "on",
    "address.street": "Main Road 3",
    "address.city": "Lisbon",
    "settings.language": "pt",
    "settings.theme": "dark",
}
assert set(form) == set(FORM)
assert update(account, form) is account
assert (account.name, account.email, account.newsletter) == ("Zoë O'Hara", "zoe@example.org", True)
assert (account.address.street, account.address.city) == ("Main Road 3", "Lisbon")
assert (account.settings.language, account.settings.theme) == ("pt", "dark")
assert (account.role, account.balance, account.number, account.settings.plan) == ("member", 0, 7, "free")
