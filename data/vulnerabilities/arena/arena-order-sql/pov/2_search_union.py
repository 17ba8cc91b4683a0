"""The search text closes the pattern and appends a second SELECT over the cards."""

import sqlite3
import sys

from orders import OrderBook, list_orders

book = OrderBook()
ana = book.add_customer("Ana", "4000-1")
book.add_customer("Bob", "4000-2")
book.add_order(ana, "lamp", 1900)
search = "none' UNION SELECT id, card, 0, name FROM customers -- "
try:
    rows = list_orders(book, ana, {"search": search})
except (ValueError, PermissionError, sqlite3.Error):
    sys.exit(1)
sys.exit(0 if any(row["article"] == "4000-2" for row in rows) else 1)
