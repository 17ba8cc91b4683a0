"""Titles may hold double quotation marks, brackets, slashes and words of path expressions."""

from library import Book, Library

titles = [
    'The "Big" Sleep',
    "A [short] story",
    "Either/Or",
    "..",
    "100% @home",
    "* and //",
    "Q & A = ?",
    "[@state]",
]
library = Library("<library/>")
for number, title in enumerate(titles):
    attributes = {"title": title, "state": "open", "shelf": f'{number} "x"'}
    library._root.append(library._root.makeelement("book", attributes))
for number, title in enumerate(titles):
    assert library.book(title) == Book(title, f'{number} "x"', ""), title
    assert library.titles(f'{number} "x"') == [title]
