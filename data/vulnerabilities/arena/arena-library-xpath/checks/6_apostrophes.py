"""A value with an apostrophe finds nothing else: neither a book, a shelf nor a reader of another name."""

from library import Library, LibraryError

DOCUMENT = """<library>
  <reader name="None" pin="4711"/>
  <reader name="Bo" pin="None"/>
  <book title="None" shelf="None" state="open"><summary>s</summary></book>
  <book title="Null" shelf="null" state="open"/>
  <book title="" shelf="" state="open"/>
</library>"""


def answer(function, *values):
    """Return what the look-up finds; a refusal finds nothing."""
    try:
        return function(*values) or None
    except LibraryError:
        return None


library = Library(DOCUMENT)
for value in ("O'Hara", "'", "children's books", "''", "it's \"so\""):
    assert answer(library.book, value) is None, value
    assert answer(library.titles, value) is None, value
    assert answer(library.log_in, value, "4711") is None, value
    assert answer(library.log_in, "Bo", value) is None, value
assert library.book("None").summary == "s" and library.titles("None") == ["None"]
assert library.log_in("Bo", "None").name == "Bo" and library.log_in("None", "4711").name == "None"
