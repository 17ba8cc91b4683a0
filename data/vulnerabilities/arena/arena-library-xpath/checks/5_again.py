"""After a name with quotation marks the library answers as before, in every thread; what a document says is kept."""

import threading
import xml.etree.ElementTree as ET

from library import Book, Library, LibraryError, Reader

library = Library(
    "<library><reader name='Ana' pin='7' role=''><loan/><loan>A &lt;b&gt;</loan></reader>"
    "<book title='Dune' state='open' shelf='A &amp; B'><summary>1 &lt; 2 &amp; 3</summary></book></library>"
)
results = []


def work():
    """Ask odd questions, and then an ordinary one."""
    for name in ("O'Brien", '"', "'\"", "]", "\n", "' or '"):
        for question in (library.book, library.titles, lambda name: library.log_in(name, name)):
            try:
                assert not question(name)
            except LibraryError:
                pass
    results.append((library.log_in(name="Ana", pin="7"), library.book(title="Dune"), library.titles(shelf="A & B")))


work()
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
expected = (Reader("Ana", "", (None, "A <b>")), Book("Dune", "A & B", "1 < 2 & 3"), ["Dune"])
assert results == [expected] * 3, results
assert library.titles("") == [] and Library("<library/>").log_in("", "") is None
for document in ("", "<library>", "<library><book></library>"):
    try:
        Library(document)
    except ET.ParseError:
        continue
    raise AssertionError(document)
