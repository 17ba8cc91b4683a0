"""An asterisk as PIN opens the door for every badge."""

import sys

from directory import Directory

people = Directory([{"cn": "Ana", "badge": "1001", "pin": "4711", "kind": "staff"}])
try:
    opened = people.open_door("1001", "*")
except (ValueError, PermissionError):
    sys.exit(1)
sys.exit(0 if opened else 1)
