"""The search for a name asks for the PIN digit by digit."""

import sys

from directory import Directory

people = Directory(
    [
        {"cn": "Ana", "badge": "1001", "pin": "4711", "kind": "staff"},
        {"cn": "Bo", "badge": "1002", "pin": "9000", "kind": "staff"},
    ]
)


def answers(part):
    """Return what the search for the part shows."""
    try:
        return people.find_people(part)
    except (ValueError, PermissionError):
        return []


guessed = {digit: answers(f"Ana*)(pin={digit}") for digit in "0123456789"}
sys.exit(0 if [digit for digit, names in guessed.items() if names] == ["4"] else 1)
