"""A tip is added to the sum; none is needed."""

from cart import Cart, CartError, Customer

ana = Customer("ana", 50.0)
for tip, total in (("0", 10.0), ("1,5", 11.5), ("0.0", 10.0), (" 2 ", 12.0)):
    cart = Cart({"cheese": 10.0})
    cart.add("cheese")
    assert cart.check_out(ana, tip).total == total
assert ana.balance == 6.5
cart.add("cheese")
try:
    cart.check_out(ana)
except CartError as error:
    assert "balance" in str(error)
else:
    raise AssertionError("more than the balance was paid")
assert ana.balance == 6.5
assert cart.amounts == {"cheese": 1.0}
