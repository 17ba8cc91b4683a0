"""A reader logs in with the own PIN, and the path walks on to another reader."""

import random
import string
import sys

from library import Library

SEED = 0

rng = random.Random(SEED)
eve, victim, role = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(3))
pin, other_pin = ("".join(rng.choices(string.digits, k=rng.randint(4, 6))) for _ in range(2))
library = Library(
    f"<library><reader name='{victim}' pin='{other_pin}' role='{role}'/>"
    f"<reader name='{eve}' pin='{pin}'/></library>"
)
try:
    reader = library.log_in(eve, f"{pin}']/../reader[@name='{victim}")
except (ValueError, SyntaxError, PermissionError):
    sys.exit(1)
sys.exit(0 if reader and reader.role == role else 1)
