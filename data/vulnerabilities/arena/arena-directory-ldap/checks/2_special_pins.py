"""PINs and badges may hold asterisks, ampersands, bars, equals signs and backslashes, as they are stored."""

from directory import Directory

pins = ("47*11", "*", "a&b|c!", "x=y", "p@ss, wörd", "#1;2", "--", r"x\y")
people = Directory(
    [{"cn": f"Person {n}", "badge": f"B={n}&!", "pin": pin, "kind": "staff"} for n, pin in enumerate(pins)]
)
for n, pin in enumerate(pins):
    assert people.open_door(f"B={n}&!", pin) == f"Person {n}", pin
