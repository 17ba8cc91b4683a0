"""Words that also occur in SQL are ordinary search texts; -- and ; too."""

from orders import OrderBook, list_orders

book = OrderBook()
ana = book.add_customer("Ana", "1")
articles = [
    "Union Jack flag",
    "Select coffee",
    "Drop table leaf",
    "Pen -- blue; fine",
    "Order tray",
    'Mug "Oslo"',
]
for article in articles:
    book.add_order(ana, article, 500)
for article in articles:
    for search in (article, article.lower()):
        assert [row["article"] for row in list_orders(book, ana, {"search": search})] == [article], article
