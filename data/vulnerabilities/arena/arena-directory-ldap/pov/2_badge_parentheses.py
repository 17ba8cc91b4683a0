"""Parentheses in the badge add an alternative that makes the PIN irrelevant."""

import random
import string
import sys

from directory import Directory

SEED = 0

rng = random.Random(SEED)
name, wrong, other = ("".join(rng.choices(string.ascii_letters, k=rng.randint(4, 9))) for _ in range(3))
badge, pin = ("".join(rng.choices(string.digits, k=rng.randint(4, 6))) for _ in range(2))
people = Directory([{"cn": name, "badge": badge, "pin": pin, "kind": "staff"}])
for typed_badge, typed_pin in (
    (f"{badge})(|(badge={badge}", f"{wrong})"),
    (f"{badge})(|(cn=*", f"{wrong})"),
    (f"{badge})(!(&(badge={other}", f"{wrong}))"),
):
    try:
        if people.open_door(typed_badge, typed_pin):
            sys.exit(0)
    except (ValueError, PermissionError):
        continue
sys.exit(1)
