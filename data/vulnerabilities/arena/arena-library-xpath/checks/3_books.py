"""Only open books are shown, with shelf and summary."""

from library import Book, Library

library = Library(
    "<library><book title='Dune' state='locked' shelf='A'/>"
    "<book title='Dune' state='open' shelf='B'><summary>sand</summary></book>"
    "<book title='Emma' state='locked' shelf='B'><summary>locked</summary></book></library>"
)
assert library.book("Dune") == Book("Dune", "B", "sand")
assert library.book("Emma") is None
assert library.book("dune") is None
assert library.book("") is None
