"""A part of the PIN or of the badge with an asterisk is enough, and hidden people are found."""

import random
import string
import sys

from directory import Directory

SEED = 0

rng = random.Random(SEED)
name, guest, kind = ("".join(rng.choices(string.ascii_letters, k=rng.randint(4, 9))) for _ in range(3))
badge, pin = ("".join(rng.choices(string.digits, k=rng.randint(4, 6))) for _ in range(2))
people = Directory(
    [
        {"cn": name, "badge": badge, "pin": pin, "kind": "staff"},
        {"cn": f"{guest} of honour", "badge": f"{badge}2", "pin": f"1{pin}", "kind": kind},
    ]
)
try:
    if (
        people.open_door(badge, f"{pin[0]}*")
        or people.open_door("*", pin)
        or people.open_door(f"{badge[:2]}*", f"*{pin[-2:]}")
    ):
        sys.exit(0)
except (ValueError, PermissionError):
    pass
try:
    found = people.find_people("honour*)(|(kind=*)(cn=")
except (ValueError, PermissionError):
    found = []
try:
    found += people.find_people(f"{name[0]}*{name[-1]}")
except (ValueError, PermissionError):
    pass
sys.exit(0 if found else 1)
