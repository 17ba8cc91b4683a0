"""A script or another active element in the query becomes an element of the page."""

import random
import string
import sys
from html.parser import HTMLParser
from urllib.parse import urlencode

SEED = 0

rng = random.Random(SEED)
call, words, end = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(3))
element = rng.choice(("script", "iframe", "object", "svg"))
payload = f"{words}<{element}>{call}()</{element}>"


class Elements(HTMLParser):
    """The names of the elements of a page."""

    def __init__(self):
        super().__init__()
        self.names = []

    def handle_starttag(self, tag, attrs):
        self.names.append(tag)


# act
from catalogue import app

environ = {"PATH_INFO": "/search", "QUERY_STRING": urlencode({"q": payload})}
page = b"".join(app(environ, lambda status, headers: None)).decode()
print(page, end, sep="\n")

# judge
elements = Elements()
assert OUTPUT.endswith(f"\n{end}\n")
elements.feed(OUTPUT)
sys.exit(0 if element in elements.names else 1)
