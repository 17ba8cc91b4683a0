"""Every column sorts upwards and downwards."""

from orders import OrderBook, list_orders

book = OrderBook()
ana = book.add_customer("Ana", "1")
book.add_order(ana, "chair", 4900, "open")
book.add_order(ana, "lamp", 700, "sent")
book.add_order(ana, "desk", 19900, "late")


def ids(sort):
    """Return the ids in the order of the list."""
    return [row["id"] for row in list_orders(book, ana, {"sort": sort})]


assert ids("id") == [1, 2, 3]
assert ids("-id") == [3, 2, 1]
assert ids("article") == [1, 3, 2]
assert ids("-article") == [2, 3, 1]
assert ids("cents") == [2, 1, 3]
assert ids("-cents") == [3, 1, 2]
assert ids("status") == [3, 1, 2]
assert ids("-status") == [2, 1, 3]
