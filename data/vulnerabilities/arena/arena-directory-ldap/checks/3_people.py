"""The staff is found by any part of the name, in order; others are not shown."""

from directory import Directory

names = ("Zoë Brandt", "Ana O'Neil", "R&D = fun!", "Bo Brand | Co")
people = Directory([{"cn": name, "badge": name, "pin": "1", "kind": "staff"} for name in names])
assert people.find_people("brand") == ["Bo Brand | Co", "Zoë Brandt"]
assert people.find_people("o'n") == ["Ana O'Neil"]
assert people.find_people("R&D =") == ["R&D = fun!"]
assert people.find_people("!") == ["R&D = fun!"]
assert people.find_people("ZOË") == ["Zoë Brandt"]
assert people.find_people("") == sorted(names)
assert people.find_people("nobody") == []
guests = Directory([{"cn": "Carl", "badge": "1", "pin": "1", "kind": "guest"}])
assert guests.find_people("Carl") == []
