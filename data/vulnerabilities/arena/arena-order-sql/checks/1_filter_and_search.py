"""Status and search narrow the list, alone and together, and only over the own orders."""

from orders import OrderBook, list_orders

book = OrderBook()
ana, bob = book.add_customer("Ana", "1"), book.add_customer("Bob", "2")
book.add_order(ana, "Desk lamp", 1900, "open")
book.add_order(ana, "Lamp shade", 700, "sent")
book.add_order(ana, "Chair", 4900, "sent")
book.add_order(bob, "Lamp oil", 300, "sent")


def articles(**query):
    """Return the articles that Ana sees."""
    return [row["article"] for row in list_orders(book, ana, query)]


assert articles() == ["Desk lamp", "Lamp shade", "Chair"]
assert articles(status="sent") == ["Lamp shade", "Chair"]
assert articles(search="lamp") == ["Desk lamp", "Lamp shade"]
assert articles(search="lamp", status="sent") == ["Lamp shade"]
assert articles(search="sofa") == []
assert articles(status="") == ["Desk lamp", "Lamp shade", "Chair"]
