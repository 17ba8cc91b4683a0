"""An element other than script, in mixed case, carries the handler."""

import sys
from html.parser import HTMLParser
from urllib.parse import urlencode

from catalogue import app

PAYLOAD = "<ImG sRc=x OnErRoR=steal()>"


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
sys.exit(0 if "onerror" in attributes.names else 1)
