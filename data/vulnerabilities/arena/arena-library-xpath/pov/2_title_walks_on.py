"""From an open book the title walks to one that is locked away, and to the draft of a review."""

import random
import string
import sys

from library import Library

SEED = 0

rng = random.Random(SEED)
title, secret, sand, draft, words, state = (
    "".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(6)
)
library = Library(
    f"<library><book title='{title}' state='open'><summary>{sand}</summary>"
    f"<review state='{state}'><summary>{draft}</summary></review></book>"
    f"<book title='{secret}' state='locked'><summary>{words}</summary></book></library>"
)
for typed in (f"{title}']/../book[@title='{secret}", f"{title}']/review[@state='{state}"):
    try:
        book = library.book(typed)
    except (ValueError, SyntaxError, PermissionError):
        continue
    if book and book.summary in (words, draft):
        sys.exit(0)
sys.exit(1)
