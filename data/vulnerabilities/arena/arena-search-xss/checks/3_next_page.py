"""The link to the next page asks for the same words; the last page has none."""

import re
from html import unescape
from urllib.parse import parse_qs, urlencode, urlsplit

from catalogue import app, next_link


def get(**query):
    """Return the page of a search."""
    environ = {"PATH_INFO": "/search", "QUERY_STRING": urlencode(query)}
    return b"".join(app(environ, lambda status, headers: None)).decode()


def follow(link):
    """Return the query that a browser sends when the link is clicked."""
    return parse_qs(urlsplit(unescape(re.search(r"""href=["']([^"']*)""", link).group(1))).query)


assert follow(get(q="cat")) == {"q": ["cat"], "page": ["1"]}
assert "<li>Cats of Rome</li>" not in get(q="of", page="0")
assert "<li>Cats of Rome</li>" in get(q="of", page="1")
assert "more</a>" not in get(q="of", page="1")
assert follow(next_link("old cats", 1, 30)) == {"q": ["old cats"], "page": ["2"]}
assert follow(next_link("cats", 0, 3)) == {"q": ["cats"], "page": ["1"]}
assert next_link("cats", 0, 2) == next_link("cats", 0, 0) == ""
