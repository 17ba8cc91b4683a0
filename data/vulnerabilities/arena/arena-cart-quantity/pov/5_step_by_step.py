"""Negative additions bring an amount below zero in small steps, or below what was paid for elsewhere."""

import sys
from contextlib import suppress

from cart import Cart, CartError, Customer

cart = Cart({"ham": 100.0, "cheese": 10.0})
for article, amount in (("ham", "1"), ("cheese", "1"), *[("cheese", "-0.9")] * 8):
    with suppress(CartError, ValueError):
        cart.add(article, amount)
try:
    order = cart.check_out(Customer("eve", 500.0))
except (CartError, ValueError):
    sys.exit(1)
sys.exit(0 if order.amounts.get("ham") == 1 and order.total < 100 else 1)
