"""The other kind of quotation mark opens the same door where values stand between it."""

import sys

from library import Library

library = Library(
    "<library><reader name='admin' pin='9182' role='admin'/><reader name='eve' pin='1111'/>"
    "<book title='Dune' state='open' shelf='A'/><book title='Memoirs' state='locked' shelf='Z'/></library>"
)
for quote in ("'", '"'):
    try:
        reader = library.log_in("eve", f"1111{quote}]/..//*[@role={quote}admin")
    except (ValueError, SyntaxError, PermissionError):
        reader = None
    try:
        titles = library.titles(f"A{quote}]/../book[@title={quote}Memoirs")
    except (ValueError, SyntaxError, PermissionError):
        titles = []
    if (reader and reader.role == "admin") or "Memoirs" in titles:
        sys.exit(0)
sys.exit(1)
