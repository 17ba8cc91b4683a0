"""Negative additions bring an amount below zero in small steps, or below what was paid for elsewhere."""

import random
import string
import sys
from contextlib import suppress

from cart import Cart, CartError, Customer

SEED = 0

rng = random.Random(SEED)
dear, cheap, name = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(3))
step = rng.choice(("-0.9", "-0,8", "-.7", "-1.1"))
cart = Cart({dear: 100.0, cheap: 10.0})
for article, amount in ((dear, "1"), (cheap, "1"), *[(cheap, step)] * 8):
    with suppress(CartError, ValueError):
        cart.add(article, amount)
try:
    order = cart.check_out(Customer(name, 500.0))
except (CartError, ValueError):
    sys.exit(1)
sys.exit(0 if order.amounts.get(dear) == 1 and order.total < 100 else 1)
