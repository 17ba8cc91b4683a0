"""A script element in the query becomes an element of the page."""

import sys
from html.parser import HTMLParser
from urllib.parse import urlencode

from catalogue import app

PAYLOAD = "<script>steal()</script>"


class Elements(HTMLParser):
    """The names of the elements of a page."""

    def __init__(self):
        super().__init__()
        self.names = []

    def handle_starttag(self, tag, attrs):
        self.names.append(tag)


environ = {"PATH_INFO": "/search", "QUERY_STRING": urlencode({"q": PAYLOAD})}
page = b"".join(app(environ, lambda status, headers: None)).decode()
elements = Elements()
elements.feed(page)
sys.exit(0 if "script" in elements.names else 1)
