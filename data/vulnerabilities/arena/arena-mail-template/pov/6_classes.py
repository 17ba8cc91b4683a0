"""A field walks from a plain value to its class, and to what the class knows."""

import random
import string
import sys
from datetime import date

from newsletter import Member, Site, TemplateError, fill

SEED = 0

rng = random.Random(SEED)
name, title, hashed = ("".join(rng.choices(string.ascii_letters, k=rng.randint(5, 12))) for _ in range(3))
member = Member(name, date(rng.randint(2000, 2024), 5, rng.randint(1, 28)), rng.randint(0, 999), hashed)
walks = ["{number.__class__.__base__}", "{member.name.__class__.__mro__}", "{member.joined.__class__.__base__}"]
rng.shuffle(walks)
answer = ""
for template in walks:
    try:
        answer += fill(template, member, Site(title, rng.randint(10_000, 99_999)), 3)
    except (TemplateError, AttributeError, LookupError):
        continue
sys.exit(0 if "<class '" in answer else 1)
