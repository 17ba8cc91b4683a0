"""Filters that the program itself writes keep their operators, wildcards and escapes."""

from directory import Directory, FilterError

people = Directory(
    [
        {"cn": "Ana (Sales)", "badge": "1", "pin": "1", "kind": "staff"},
        {"cn": "Bo*", "badge": "2", "pin": "2", "kind": "guest", "room": "12"},
    ]
)


def badges(text):
    """Return the badges of the entries that satisfy the filter."""
    return [entry["badge"] for entry in people.search(text)]


assert badges("(cn=*)") == ["1", "2"]
assert badges("(room=*)") == ["2"]
assert badges(r"(cn=*\28sales\29)") == ["1"]
assert badges(r"(cn=*\2a)") == ["2"]
assert badges("(|(badge=1)(&(kind=guest)(!(room=13))))") == ["1", "2"]
assert badges("(&(cn=a*s*)(kind=staff))") == ["1"]
for broken in ("", "cn=x", "(cn=x", "(&)", "(cn=x)(cn=y)", "(=x)"):
    try:
        people.search(broken)
    except FilterError:
        continue
    raise AssertionError(broken)
