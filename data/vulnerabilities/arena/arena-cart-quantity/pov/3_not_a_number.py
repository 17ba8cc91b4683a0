"""With nan the sum is neither above nor below the balance, and the goods leave the shop."""

import sys
from contextlib import suppress

from cart import Cart, CartError, Customer

for spelling in ("nan", "NaN", "-nan", " NAN "):
    for use in ("add", "change", "tip"):
        cart = Cart({"ham": 100.0, "cheese": 10.0})
        eve = Customer("eve", 0.0)
        with suppress(CartError, ValueError, OverflowError):
            cart.add("ham")
        with suppress(CartError, ValueError, OverflowError):
            if use == "add":
                cart.add("cheese", spelling)
            elif use == "change":
                cart.change("cheese", spelling)
        try:
            order = cart.check_out(eve, spelling if use == "tip" else "0")
        except (CartError, ValueError, OverflowError):
            continue
        if order.amounts.get("ham") == 1:
            sys.exit(0)
sys.exit(1)
