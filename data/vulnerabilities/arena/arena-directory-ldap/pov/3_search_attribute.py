"""The search for a name asks for the PIN digit by digit."""

import random
import string
import sys

from directory import Directory

SEED = 0

rng = random.Random(SEED)
name, other = ("".join(rng.choices(string.ascii_letters, k=rng.randint(4, 9))) for _ in range(2))
badge, pin, other_pin = ("".join(rng.choices(string.digits, k=rng.randint(4, 6))) for _ in range(3))
people = Directory(
    [
        {"cn": name, "badge": badge, "pin": pin, "kind": "staff"},
        {"cn": f"{other} Bo", "badge": f"{badge}1", "pin": other_pin, "kind": "staff"},
    ]
)


def answers(part):
    """Return what the search for the part shows."""
    try:
        return people.find_people(part)
    except (ValueError, PermissionError):
        return []


guessed = {digit: answers(f"{name}*)(pin={digit}") for digit in string.digits}
sys.exit(0 if [digit for digit, names in guessed.items() if names] == [pin[0]] else 1)
