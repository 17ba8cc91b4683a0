"""After a list that fails the same book lists on, book by book and in every thread; cut and empty queries as before."""

import sqlite3
import threading

from orders import OrderBook, list_orders

done = []


def work():
    """Alternate between queries that may fail and others."""
    book = OrderBook(path=":memory:")
    ana, bob = book.add_customer("Ana", "1"), book.add_customer("Bob", "2")
    for article, cents, status in (("lamp", 1900, "open"), ("desk", 9900, "sent"), ("lamp shade", 700, "sent")):
        book.add_order(customer=ana, article=article, cents=cents, status=status)
    book.add_order(bob, "lamp", 5)
    for query in ({"sort": "colour"}, {"sort": "-"}, {"sort": "--id"}, {"sort": "cents,id"}, {"search": "'"}, {"status": "'"}, {"sort": ""}):
        try:
            list_orders(book, ana, query)
        except (ValueError, LookupError, sqlite3.Error):
            pass
        found = book.listing(ana, status="sent", search="LAMP", sort="-cents")
        assert found == [{"id": 3, "article": "lamp shade", "cents": 700, "status": "sent"}], found
        assert [row["id"] for row in list_orders(book, ana, {"search": "", "sort": "-cents"})] == [2, 1, 3]
        assert (book.total(customer=ana), book.total(bob), book.total(99)) == (12500, 5, 0)
    done.append(True)


work()
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(done) == 3
