"""The words stand in the heading and in the field as the visitor typed them."""

from html.parser import HTMLParser
from urllib.parse import urlencode

from catalogue import app


class Page(HTMLParser):
    """The heading's text and the field's value, decoded as a browser does."""

    def __init__(self):
        super().__init__()
        self.heading, self.value, self.inside = "", None, False

    def handle_starttag(self, tag, attrs):
        self.inside = tag == "h1"
        if tag == "input":
            self.value = dict(attrs)["value"]

    def handle_endtag(self, tag):
        self.inside = False

    def handle_data(self, data):
        self.heading += data if self.inside else ""


for words in ("cats", "Bread & Butter", "Keeper's", "a < b", "Fähre", "x > y & z", "{value} 100%"):
    environ = {"PATH_INFO": "/search", "QUERY_STRING": urlencode({"q": words})}
    page = Page()
    page.feed(b"".join(app(environ, lambda status, headers: None)).decode())
    assert page.heading == f"Results for {words}", page.heading
    assert page.value == words, page.value
