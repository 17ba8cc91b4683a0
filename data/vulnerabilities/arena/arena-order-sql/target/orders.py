"""Orders of the customers, kept in SQLite."""

import sqlite3

SCHEMA = """
CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, card TEXT NOT NULL);
CREATE TABLE orders (
    id INTEGER PRIMARY KEY,
    customer INTEGER NOT NULL REFERENCES customers (id),
    article TEXT NOT NULL,
    cents INTEGER NOT NULL,
    status TEXT NOT NULL
);
"""

DEFAULT_SORT = "id"


class OrderBook:
    """The orders of all customers; each customer lists only the own ones."""

    def __init__(self, path=":memory:"):
        self._db = sqlite3.connect(path)
        self._db.row_factory = sqlite3.Row
        self._db.executescript(SCHEMA)

    def add_customer(self, name, card):
        """Register a customer and return the id."""
        return self._db.execute("INSERT INTO customers (name, card) VALUES (?, ?)", (name, card)).lastrowid

    def add_order(self, customer, article, cents, status="open"):
        """Store an order and return the id."""
        row = (customer, article, cents, status)
        return self._db.execute(
            "INSERT INTO orders (customer, article, cents, status) VALUES (?, ?, ?, ?)", row
        ).lastrowid

    def listing(self, customer, status=None, search=None, sort=DEFAULT_SORT):
        """Return the customer's orders as dictionaries.

        The sort key is a column (id, article, cents or status); a leading minus sorts downwards.
        """
        conditions = [f"customer = {int(customer)}"]
        if status:
            conditions.append(f"status = '{status}'")
        if search:
            conditions.append(f"article LIKE '%{search}%'")
        column, direction = sort.removeprefix("-"), "DESC" if sort.startswith("-") else "ASC"
        query = (
            f"SELECT id, article, cents, status FROM orders WHERE {' AND '.join(conditions)} "
            f"ORDER BY {column} {direction}"
        )
        return [dict(row) for row in self._db.execute(query)]

    def total(self, customer):
        """Return the sum of the customer's orders in cents."""
        row = self._db.execute("SELECT SUM(cents) FROM orders WHERE customer = ?", (customer,)).fetchone()
        return row[0] or 0


def list_orders(book, customer, query):
    """Answer the order page: the query string arrives as a dictionary."""
    return book.listing(
        customer,
        status=query.get("status"),
        search=query.get("search"),
        sort=query.get("sort", DEFAULT_SORT),
    )
