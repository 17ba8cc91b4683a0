"""The list of a shelf shows the locked books of every shelf."""

import sys

from library import Library

library = Library(
    "<library><book title='Dune' state='open' shelf='A'/>"
    "<book title='Memoirs' state='locked' shelf='Z'/></library>"
)
for shelf in ("A']/../book[@state='locked", "A']/..//*[@state='locked", "A']/..//book[@shelf!='A"):
    try:
        titles = library.titles(shelf)
    except (ValueError, SyntaxError, PermissionError):
        continue
    if "Memoirs" in titles:
        sys.exit(0)
sys.exit(1)
