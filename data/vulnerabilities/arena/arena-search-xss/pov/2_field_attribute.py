"""A quotation mark ends the value of the search field, and an event handler follows."""

import random
import string
import sys
from html.parser import HTMLParser
from urllib.parse import urlencode

from catalogue import app

SEED = 0

rng = random.Random(SEED)
call, words = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(2))
handler = rng.choice(("onfocus", "oninput", "onclick", "onkeyup"))
payload = f'{words}" autofocus {handler}="{call}()'


class Attributes(HTMLParser):
    """The names of all attributes of a page."""

    def __init__(self):
        super().__init__()
        self.names = []

    def handle_starttag(self, tag, attrs):
        self.names += [name for name, value in attrs]


environ = {"PATH_INFO": "/search", "QUERY_STRING": urlencode({"q": payload})}
page = b"".join(app(environ, lambda status, headers: None)).decode()
attributes = Attributes()
attributes.feed(page)
sys.exit(0 if handler in attributes.names else 1)
