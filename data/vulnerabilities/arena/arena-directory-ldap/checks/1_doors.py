"""The right pair of badge and PIN opens, in any case of letters; others do not."""

from directory import Directory

people = Directory(
    [
        {"cn": "Ana", "badge": "A-1001", "pin": "4711", "kind": "staff"},
        {"cn": "Bo", "badge": "B.1002/x", "pin": "0815", "kind": "guest"},
    ]
)
assert people.open_door("A-1001", "4711") == "Ana"
assert people.open_door("a-1001", "4711") == "Ana"
assert people.open_door("B.1002/x", "0815") == "Bo"
for badge, pin in (
    ("A-1001", "0815"),
    ("A-1001", ""),
    ("", ""),
    ("A-100", "4711"),
    ("1001", "4711"),
    ("Ana", "4711"),
):
    assert people.open_door(badge, pin) is None, (badge, pin)
