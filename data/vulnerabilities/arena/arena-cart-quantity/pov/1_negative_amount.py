"""A negative amount of one article pays for another."""

import random
import string
import sys

from cart import Cart, CartError, Customer

SEED = 0

rng = random.Random(SEED)
dear, cheap, name = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(3))
cart = Cart({dear: 100.0, cheap: 10.0})
customer = Customer(name, 20.0)
try:
    cart.add(dear)
    cart.add(cheap, rng.choice(("-9", "-8.5", "-9,25", "-9.75")))
    order = cart.check_out(customer)
except CartError:
    sys.exit(1)
sys.exit(0 if order.amounts.get(dear) == 1 and order.total < 100 else 1)
