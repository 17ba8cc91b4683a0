"""An element other than script, in mixed case, carries the handler."""

import random
import string
import sys
from html.parser import HTMLParser
from urllib.parse import urlencode

from catalogue import app

SEED = 0

rng = random.Random(SEED)
call, address = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(2))
spelled = "".join(rng.choice((letter, letter.upper())) for letter in "onerror")
payload = f"<{rng.choice(('ImG', 'iMg', 'IMG', 'vIDEo', 'AudiO'))} sRc={address} {spelled}={call}()>"


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
sys.exit(0 if "onerror" in attributes.names else 1)
