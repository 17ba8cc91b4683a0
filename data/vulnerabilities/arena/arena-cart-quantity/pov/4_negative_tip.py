"""A negative tip is a discount, or money that stays even when the payment is refused."""

import random
import string
import sys

from cart import Cart, CartError, Customer

SEED = 0

rng = random.Random(SEED)
article, name = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(2))
price = float(rng.randint(60, 300))
for tip in (f"-{rng.randint(2, 59)}", "-0,01", "-inf", "-1e2"):
    cart = Cart({article: price})
    customer = Customer(name, price)
    total = price
    try:
        cart.add(article)
        total = cart.check_out(customer, tip).total
    except (CartError, ValueError, OverflowError):
        pass
    if total < price or (not cart.amounts and customer.balance > 0) or customer.balance > price:
        sys.exit(0)
sys.exit(1)
