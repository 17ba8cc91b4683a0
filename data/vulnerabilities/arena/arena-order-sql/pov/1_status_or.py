"""A quotation mark in the status adds a condition that holds for every customer's orders."""

import random
import sqlite3
import string
import sys

from orders import OrderBook, list_orders

SEED = 0

rng = random.Random(SEED)
own_name, name, lamp, diary, state = (
    "".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(5)
)
own_card, card = ("".join(rng.choices(string.digits, k=rng.randint(8, 16))) for _ in range(2))
always = rng.choice(("'{0}'='{0}", "'{0}'<>'", "id<>'{0}", "NOT status='{0}")).format(card)
book = OrderBook()
ana, bob = book.add_customer(own_name, own_card), book.add_customer(name, card)
book.add_order(ana, lamp, 1900)
book.add_order(bob, diary, 900)
try:
    rows = list_orders(book, ana, {"status": f"{state}' OR {always}"})
except (ValueError, PermissionError, sqlite3.Error):
    sys.exit(1)
sys.exit(0 if any(row["article"] == diary for row in rows) else 1)
