"""The list of a shelf shows the locked books of every shelf."""

import random
import string
import sys

from library import Library

SEED = 0

rng = random.Random(SEED)
title, secret, shelf, other, state = (
    "".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(5)
)
library = Library(
    f"<library><book title='{title}' state='open' shelf='{shelf}'/>"
    f"<book title='{secret}' state='{state}' shelf='{other}'/></library>"
)
for typed in (
    f"{shelf}']/../book[@state='{state}",
    f"{shelf}']/..//*[@state='{state}",
    f"{shelf}']/..//book[@shelf!='{shelf}",
):
    try:
        titles = library.titles(typed)
    except (ValueError, SyntaxError, PermissionError):
        continue
    if secret in titles:
        sys.exit(0)
sys.exit(1)
