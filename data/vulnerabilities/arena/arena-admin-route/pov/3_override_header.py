"""A POST that the header turns into a DELETE or PUT is checked as a POST."""

import random
import string
import sys

from news import Request, Site

SEED = 0

rng = random.Random(SEED)
number = str(rng.randint(3, 9999))
text, defaced = ("".join(rng.choices(string.ascii_lowercase, k=12)) for _ in range(2))
site = Site()
site.articles[number] = text
for override in rng.sample(["DELETE", "delete", "DeLeTe", "put", " Put ", "PUT"], 3):
    request = Request("POST", f"/articles/{number}", "reader", {"x-http-method-override": override}, defaced)
    try:
        site.handle(request)
    except (ValueError, PermissionError):
        continue
sys.exit(0 if site.articles.get(number) != text else 1)
