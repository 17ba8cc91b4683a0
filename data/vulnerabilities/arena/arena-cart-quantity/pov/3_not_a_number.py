"""With nan the sum is neither above nor below the balance, and the goods leave the shop."""

import random
import string
import sys
from contextlib import suppress

from cart import Cart, CartError, Customer

SEED = 0

rng = random.Random(SEED)
dear, cheap, name = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(3))
for spelling in rng.sample(["nan", "NaN", "-nan", " NAN ", "+nAn", "nan\n"], 4):
    for use in ("add", "change", "tip"):
        cart = Cart({dear: 100.0, cheap: 10.0})
        customer = Customer(name, 0.0)
        with suppress(CartError, ValueError, OverflowError):
            cart.add(dear)
        with suppress(CartError, ValueError, OverflowError):
            if use == "add":
                cart.add(cheap, spelling)
            elif use == "change":
                cart.change(cheap, spelling)
        try:
            order = cart.check_out(customer, spelling if use == "tip" else "0")
        except (CartError, ValueError, OverflowError):
            continue
        if order.amounts.get(dear) == 1:
            sys.exit(0)
sys.exit(1)
