"""A part of the PIN or of the badge with an asterisk is enough, and hidden people are found."""

import sys

from directory import Directory

people = Directory(
    [
        {"cn": "Ana", "badge": "1001", "pin": "4711", "kind": "staff"},
        {"cn": "Guest of honour", "badge": "2001", "pin": "1234", "kind": "secret"},
    ]
)
try:
    if people.open_door("1001", "4*") or people.open_door("*", "4711") or people.open_door("10*", "*11"):
        sys.exit(0)
except (ValueError, PermissionError):
    pass
try:
    found = people.find_people("honour*)(|(kind=*)(cn=")
except (ValueError, PermissionError):
    found = []
try:
    found += people.find_people("A*a")
except (ValueError, PermissionError):
    pass
sys.exit(0 if found else 1)
