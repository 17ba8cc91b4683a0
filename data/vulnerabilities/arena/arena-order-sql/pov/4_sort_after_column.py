"""A descending sort takes the same question, in parentheses and after a known column."""

import random
import sqlite3
import string
import sys

from orders import OrderBook, list_orders

SEED = 0

rng = random.Random(SEED)
own_name, name, *articles = (
    "".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(5)
)
own_card, card = ("".join(rng.choices(string.digits, k=rng.randint(8, 16))) for _ in range(2))
other = str((int(card[0]) + rng.randint(1, 9)) % 10)
book = OrderBook()
ana = book.add_customer(own_name, own_card)
book.add_customer(name, card)
for article in articles:
    book.add_order(ana, article, 1900)
try:
    answers = []
    for guess in (card[0], other):
        sort = f"-cents,(iif((select(card)from(customers)where(id=2))like'{guess}%',-id,id)),id"
        answers.append([row["id"] for row in list_orders(book, ana, {"sort": sort})])
except (ValueError, PermissionError, LookupError, sqlite3.Error):
    sys.exit(1)
sys.exit(0 if answers == [[3, 2, 1], [1, 2, 3]] else 1)
