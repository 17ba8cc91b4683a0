"""The subject line is a template too."""

import random
import string
import sys
from datetime import date

import newsletter
from newsletter import Member, Site, TemplateError, write_letters

SEED = 0

rng = random.Random(SEED)
name, title, key, hashed, greeting = (
    "".join(rng.choices(string.ascii_letters, k=rng.randint(5, 12))) for _ in range(5)
)
newsletter.API_KEY = key
member = Member(name, date(rng.randint(2000, 2024), 5, rng.randint(1, 28)), rng.randint(0, 999), hashed)
subject = "{member.__init__.__globals__[API_KEY]} {member.password_hash}"
answer = ""
try:
    (letter,) = write_letters(subject, greeting, [member], Site(title), 3)
    answer = letter.subject
except (TemplateError, AttributeError, LookupError) as error:
    answer = str(error)
sys.exit(0 if key in answer or hashed in answer else 1)
