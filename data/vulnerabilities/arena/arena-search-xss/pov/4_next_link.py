"""The link to the next page repeats the query, here beside books that a space finds."""

import sys
from html.parser import HTMLParser

import catalogue

PAYLOAD = '"onmouseover="steal()'


class Attributes(HTMLParser):
    """The names of all attributes of a page."""

    def __init__(self):
        super().__init__()
        self.names = []

    def handle_starttag(self, tag, attrs):
        self.names += [name for name, value in attrs]


attributes = Attributes()
attributes.feed(catalogue.next_link(PAYLOAD, 0, 100))
sys.exit(0 if "onmouseover" in attributes.names else 1)
