"""A part of a kilogram, or of a euro, is written without the zero before the comma or the point, too."""

import random
import string

from cart import Cart, Customer

SEED = 0

rng = random.Random(SEED)
article = "".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9)))
hundredths = rng.randint(10, 99)
for point in ".,":
    text = f"{point}{hundredths}"
    cart, customer = Cart({article: 10.0}), Customer("ana", 100.0)
    cart.add(article, text)
    assert cart.amounts == {article: hundredths / 100}, text
    cart.add(article, "2")
    cart.change(article, f" {text} ")
    assert cart.amounts == {article: hundredths / 100}, text
    order = cart.check_out(customer, tip=text)
    assert order.total == round(hundredths / 10 + hundredths / 100, 2), order
    assert customer.balance == round(100 - order.total, 2)
