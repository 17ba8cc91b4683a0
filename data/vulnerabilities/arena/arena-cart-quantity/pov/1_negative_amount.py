"""Minus nine cheeses pay for a ham."""

import sys

from cart import Cart, CartError, Customer

cart = Cart({"ham": 100.0, "cheese": 10.0})
eve = Customer("eve", 20.0)
try:
    cart.add("ham")
    cart.add("cheese", "-9")
    order = cart.check_out(eve)
except CartError:
    sys.exit(1)
sys.exit(0 if order.amounts.get("ham") == 1 and order.total < 100 else 1)
