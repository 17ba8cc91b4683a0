"""From an open book the title walks to one that is locked away, and to the draft of a review."""

import sys

from library import Library

library = Library(
    "<library><book title='Dune' state='open'><summary>sand</summary>"
    "<review state='draft'><summary>unpublished</summary></review></book>"
    "<book title='Memoirs' state='locked'><summary>private words</summary></book></library>"
)
for title in ("Dune']/../book[@title='Memoirs", "Dune']/review[@state='draft"):
    try:
        book = library.book(title)
    except (ValueError, SyntaxError, PermissionError):
        continue
    if book and book.summary in ("private words", "unpublished"):
        sys.exit(0)
sys.exit(1)
