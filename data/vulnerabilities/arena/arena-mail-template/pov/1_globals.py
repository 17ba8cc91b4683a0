"""A field leads over the constructor to the globals of the module."""

import random
import string
import sys
from datetime import date

import newsletter
from newsletter import Member, Site, TemplateError, fill

SEED = 0

rng = random.Random(SEED)
name, title, key = ("".join(rng.choices(string.ascii_letters, k=rng.randint(5, 12))) for _ in range(3))
newsletter.API_KEY = key
member = Member(name, date(rng.randint(2000, 2024), 5, rng.randint(1, 28)), rng.randint(0, 999))
answer = ""
for template in ("{member.__init__.__globals__[API_KEY]}", "{site.__init__.__globals__[API_KEY]}"):
    try:
        answer += fill(template, member, Site(title), 3)
    except (TemplateError, AttributeError, LookupError) as error:
        answer += str(error)
sys.exit(0 if key in answer else 1)
