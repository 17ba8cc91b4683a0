"""Parentheses in the badge add an alternative that makes the PIN irrelevant."""

import sys

from directory import Directory

people = Directory([{"cn": "Ana", "badge": "1001", "pin": "4711", "kind": "staff"}])
for badge, pin in (("1001)(|(badge=1001", "x)"), ("1001)(|(cn=*", "x)"), ("1001)(!(&(badge=none", "x))")):
    try:
        if people.open_door(badge, pin):
            sys.exit(0)
    except (ValueError, PermissionError):
        continue
sys.exit(1)
