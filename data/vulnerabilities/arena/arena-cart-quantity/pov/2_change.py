"""A change to a negative amount, or one that follows a positive one, does the same."""

import random
import string
import sys
from contextlib import suppress

from cart import Cart, CartError, Customer

SEED = 0

rng = random.Random(SEED)
dear, cheap, name = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(3))
amount = rng.randint(2, 9)
for first, then in (("1", f"-{amount}"), ("0,5", "-0,5"), (str(amount), f" -{amount}.0")):
    cart = Cart({dear: 100.0, cheap: 10.0})
    with suppress(CartError, ValueError):
        cart.add(dear)
    with suppress(CartError, ValueError):
        cart.add(cheap, first)
    with suppress(CartError, ValueError):
        cart.change(cheap, then)
    try:
        order = cart.check_out(Customer(name, 100_000.0))
    except (CartError, ValueError):
        continue
    if order.amounts.get(dear) == 1 and order.total < 100:
        sys.exit(0)
sys.exit(1)
