"""A row has four fields, a stranger's list is empty, the total is summed, also after a list that failed."""

import sqlite3

from orders import OrderBook, list_orders

book = OrderBook()
ana, bob = book.add_customer("Ana", "1"), book.add_customer("Bob", "2")
book.add_order(ana, "lamp", 1900)
book.add_order(ana, "desk", 9900, "sent")
assert list_orders(book, ana, {"status": "open"}) == [
    {"id": 1, "article": "lamp", "cents": 1900, "status": "open"}
]
assert list_orders(book, bob, {}) == []
assert (book.total(ana), book.total(bob)) == (11800, 0)
for query in ({"sort": "colour"}, {"sort": "-"}, {"search": "'"}):
    try:
        list_orders(book, ana, query)
    except (ValueError, LookupError, sqlite3.Error):
        pass
    assert [row["id"] for row in list_orders(book, ana, {"sort": "-cents"})] == [2, 1]
assert (book.add_order(bob, "cup", 50), book.total(bob)) == (3, 50)
