"""A row has four fields, a stranger's list is empty, and the total is summed."""

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
