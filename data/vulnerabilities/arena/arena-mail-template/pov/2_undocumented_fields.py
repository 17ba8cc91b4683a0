"""Attributes of the same objects that are no documented fields are readable as well."""

import random
import string
import sys
from datetime import date

from newsletter import Member, Site, TemplateError, fill

SEED = 0

rng = random.Random(SEED)
name, title, hashed = ("".join(rng.choices(string.ascii_letters, k=rng.randint(5, 12))) for _ in range(3))
code = rng.randint(10_000, 99_999)
member = Member(name, date(rng.randint(2000, 2024), 5, rng.randint(1, 28)), rng.randint(0, 999), hashed)
answer = ""
for template in ("{member.password_hash}", "{site._door_code}"):
    try:
        answer += fill(template, member, Site(title, code), 3)
    except (TemplateError, AttributeError, LookupError) as error:
        answer += str(error)
sys.exit(0 if hashed in answer or str(code) in answer else 1)
