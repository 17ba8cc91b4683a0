"""The link to the next page repeats the query, here beside books that a space finds."""

import random
import string
import sys
from html.parser import HTMLParser

import catalogue

SEED = 0

rng = random.Random(SEED)
call, words = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(2))
handler = rng.choice(("onmouseover", "onclick", "onfocus", "onmousedown"))
payload = f'{words}"{handler}="{call}()'


class Attributes(HTMLParser):
    """The names of all attributes of a page."""

    def __init__(self):
        super().__init__()
        self.names = []

    def handle_starttag(self, tag, attrs):
        self.names += [name for name, value in attrs]


attributes = Attributes()
attributes.feed(catalogue.next_link(payload, rng.randint(0, 5), 100))
sys.exit(0 if handler in attributes.names else 1)
