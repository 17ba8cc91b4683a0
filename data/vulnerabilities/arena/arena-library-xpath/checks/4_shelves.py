"""The titles of a shelf are sorted, the locked ones left out; an unknown shelf is empty."""

from library import Library

library = Library(
    "<library><book title='Emma' state='open' shelf='A-1'/><book title='Dune' state='open' shelf='A-1'/>"
    "<book title='Ulysses' state='locked' shelf='A-1'/><book title='Waves' state='open' shelf='A'/>"
    "<box><book title='Inner' state='open' shelf='A'/></box></library>"
)
assert library.titles("A-1") == ["Dune", "Emma"]
assert library.titles("A") == ["Waves"]
assert library.titles("Z") == []
