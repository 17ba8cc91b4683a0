"""Titles are found in any case and through an ampersand or apostrophe; an empty query lists all."""

from urllib.parse import urlencode

from catalogue import app, search


def get(**query):
    """Return the status and the page of a search."""
    statuses = []
    environ = {"PATH_INFO": "/search", "QUERY_STRING": urlencode(query)}
    body = b"".join(app(environ, lambda status, headers: statuses.append(status)))
    return statuses[0], body.decode()


assert search("LISBON") == ["Gardens of Lisbon", "Lisbon at Night"]
status, page = get(q="bread & b")
assert status == "200 OK"
assert "<li>Bread &amp; Butter</li>" in page
status, page = get(q="keeper's cat")
assert "The Lighthouse Keeper" in page
status, page = get()
assert "Results for everything" in page
assert page.count("<li>") == 2
