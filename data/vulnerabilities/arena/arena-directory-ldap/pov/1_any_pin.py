"""An asterisk as PIN opens the door for every badge."""

import random
import string
import sys

from directory import Directory

SEED = 0

rng = random.Random(SEED)
name = "".join(rng.choices(string.ascii_letters, k=rng.randint(4, 9)))
badge, pin = ("".join(rng.choices(string.digits, k=rng.randint(4, 6))) for _ in range(2))
people = Directory([{"cn": name, "badge": badge, "pin": pin, "kind": "staff"}])
try:
    opened = people.open_door(badge, "*" * rng.randint(1, 2))
except (ValueError, PermissionError):
    sys.exit(1)
sys.exit(0 if opened else 1)
