"""The other kind of quotation mark opens the same door where values stand between it."""

import random
import string
import sys

from library import Library

SEED = 0

rng = random.Random(SEED)
eve, victim, role, title, secret, shelf = (
    "".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(6)
)
pin, other_pin = ("".join(rng.choices(string.digits, k=rng.randint(4, 6))) for _ in range(2))
library = Library(
    f"<library><reader name='{victim}' pin='{other_pin}' role='{role}'/><reader name='{eve}' pin='{pin}'/>"
    f"<book title='{title}' state='open' shelf='{shelf}'/>"
    f"<book title='{secret}' state='locked' shelf='{shelf}'/></library>"
)
for quote in ("'", '"'):
    try:
        reader = library.log_in(eve, f"{pin}{quote}]/..//*[@role={quote}{role}")
    except (ValueError, SyntaxError, PermissionError):
        reader = None
    try:
        titles = library.titles(f"{shelf}{quote}]/../book[@title={quote}{secret}")
    except (ValueError, SyntaxError, PermissionError):
        titles = []
    if (reader and reader.role == role) or secret in titles:
        sys.exit(0)
sys.exit(1)
