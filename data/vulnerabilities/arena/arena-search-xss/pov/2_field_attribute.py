"""A quotation mark ends the value of the search field, and an event handler follows."""

import sys
from html.parser import HTMLParser
from urllib.parse import urlencode

from catalogue import app

PAYLOAD = 'cat" autofocus onfocus="steal()'


class Attributes(HTMLParser):
    """The names of all attributes of a page."""

    def __init__(self):
        super().__init__()
        self.names = []

    def handle_starttag(self, tag, attrs):
        self.names += [name for name, value in attrs]


environ = {"PATH_INFO": "/search", "QUERY_STRING": urlencode({"q": PAYLOAD})}
page = b"".join(app(environ, lambda status, headers: None)).decode()
attributes = Attributes()
attributes.feed(page)
sys.exit(0 if "onfocus" in attributes.names else 1)
