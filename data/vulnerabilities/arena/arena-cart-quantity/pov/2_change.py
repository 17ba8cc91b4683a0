"""A change to a negative amount, or one that follows a positive one, does the same."""

import sys
from contextlib import suppress

from cart import Cart, CartError, Customer

for first, then in (("1", "-9"), ("0,5", "-0,5"), ("2", " -9.0")):
    cart = Cart({"ham": 100.0, "cheese": 10.0})
    with suppress(CartError, ValueError):
        cart.add("ham")
    with suppress(CartError, ValueError):
        cart.add("cheese", first)
    with suppress(CartError, ValueError):
        cart.change("cheese", then)
    try:
        order = cart.check_out(Customer("eve", 100_000.0))
    except (CartError, ValueError):
        continue
    if order.amounts.get("ham") == 1 and order.total < 100:
        sys.exit(0)
sys.exit(1)
