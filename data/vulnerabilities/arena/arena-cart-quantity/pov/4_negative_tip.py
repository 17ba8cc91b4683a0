"""A negative tip is a discount."""

import sys

from cart import Cart, CartError, Customer

for tip in ("-95", "-0,01", "-inf", "-1e2"):
    cart = Cart({"ham": 100.0})
    eve = Customer("eve", 100.0)
    try:
        cart.add("ham")
        order = cart.check_out(eve, tip)
    except (CartError, ValueError, OverflowError):
        continue
    if order.total < 100:
        sys.exit(0)
sys.exit(1)
