"""A descending sort takes the same question, in parentheses and after a known column."""

import sqlite3
import sys

from orders import OrderBook, list_orders

book = OrderBook()
ana = book.add_customer("Ana", "4000-1")
book.add_customer("Bob", "7300-2")
for article in ("lamp", "chair", "table"):
    book.add_order(ana, article, 1900)
try:
    answers = []
    for guess in ("7", "1"):
        sort = f"-cents,(iif((select(card)from(customers)where(id=2))like'{guess}%',-id,id)),id"
        answers.append([row["id"] for row in list_orders(book, ana, {"sort": sort})])
except (ValueError, PermissionError, LookupError, sqlite3.Error):
    sys.exit(1)
sys.exit(0 if answers == [[3, 2, 1], [1, 2, 3]] else 1)
