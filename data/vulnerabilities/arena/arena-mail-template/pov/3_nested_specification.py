"""A format specification may hold fields of its own: a secret number becomes the width."""

import random
import string
import sys
from datetime import date

from newsletter import Member, Site, TemplateError, fill

SEED = 0

rng = random.Random(SEED)
name, title = ("".join(rng.choices(string.ascii_letters, k=rng.randint(5, 12))) for _ in range(2))
code = rng.randint(300, 999)
member = Member(name, date(rng.randint(2000, 2024), 5, rng.randint(1, 28)), rng.randint(0, 999))
try:
    text = fill("{member.name:{site._door_code}}", member, Site(title, code), 3)
except (TemplateError, AttributeError, LookupError):
    sys.exit(1)
sys.exit(0 if len(text) == code else 1)
