"""Unknown articles, words, large amounts and empty carts are a CartError and change nothing."""

from cart import Cart, CartError, Customer


def refused(function, *arguments):
    """Tell whether the call ends in CartError."""
    try:
        function(*arguments)
    except CartError:
        return True
    return False


cart = Cart({"eggs": 0.4})
assert refused(cart.check_out, Customer("ana", 10.0))
assert refused(cart.add, "gold", "1")
assert refused(cart.change, "gold", "1")
for text in ("", "many", "1,000.5", "--2", "501", "inf"):
    assert refused(cart.add, "eggs", text), text
    assert refused(cart.change, "eggs", text), text
cart.add("eggs", "500")
assert cart.total() == 200.0
assert refused(cart.add, "eggs")
assert cart.amounts == {"eggs": 500.0}
ana = Customer("ana", 1000.0)
for tip in ("much", "", "inf", "900"):
    assert refused(cart.check_out, ana, tip), tip
assert (ana.balance, cart.amounts) == (1000.0, {"eggs": 500.0})
assert cart.check_out(ana, "800").total == 1000.0
