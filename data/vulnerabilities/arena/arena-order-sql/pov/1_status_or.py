"""A quotation mark in the status adds a condition that holds for every customer's orders."""

import sqlite3
import sys

from orders import OrderBook, list_orders

book = OrderBook()
ana, bob = book.add_customer("Ana", "4000-1"), book.add_customer("Bob", "4000-2")
book.add_order(ana, "lamp", 1900)
book.add_order(bob, "private diary", 900)
try:
    rows = list_orders(book, ana, {"status": "open' OR '1'='1"})
except (ValueError, PermissionError, sqlite3.Error):
    sys.exit(1)
sys.exit(0 if any(row["article"] == "private diary" for row in rows) else 1)
