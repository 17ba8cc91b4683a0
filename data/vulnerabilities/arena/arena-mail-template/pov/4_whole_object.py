"""The object itself, as text or by its representation, shows all that it holds."""

import random
import string
import sys
from datetime import date

from newsletter import Member, Site, TemplateError, fill

SEED = 0

rng = random.Random(SEED)
name, title, hashed = ("".join(rng.choices(string.ascii_letters, k=rng.randint(5, 12))) for _ in range(3))
member = Member(name, date(rng.randint(2000, 2024), 5, rng.randint(1, 28)), rng.randint(0, 999), hashed)
answer = ""
for template in (
    "{member}",
    "{member!r}",
    f"{{member!s:>{rng.randint(150, 300)}}}",
    "{member.__dict__}",
    "{0}",
    "{member.name.__class__}",
):
    try:
        answer += fill(template, member, Site(title), 3)
    except (TemplateError, AttributeError, LookupError):
        continue
sys.exit(0 if hashed in answer else 1)
