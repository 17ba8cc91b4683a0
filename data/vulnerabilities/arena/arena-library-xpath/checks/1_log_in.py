"""Name and PIN must both be right; the reader comes with role and loans."""

from library import Library, Reader

library = Library(
    "<library><reader name='Ana' pin='1#23'><loan>Dune</loan><loan>Emma</loan></reader>"
    "<reader name='Zoë (staff) / B' pin='' role='staff'/></library>"
)
assert library.log_in("Ana", "1#23") == Reader("Ana", "reader", ("Dune", "Emma"))
assert library.log_in("Zoë (staff) / B", "") == Reader("Zoë (staff) / B", "staff", ())
for name, pin in (("Ana", ""), ("Ana", "1"), ("ana", "1#23"), ("", ""), ("Zoë (staff) / B", "1#23")):
    assert library.log_in(name, pin) is None, (name, pin)
