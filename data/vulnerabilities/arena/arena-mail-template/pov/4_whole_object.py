"""The object itself, as text or by its representation, shows all that it holds."""

import sys
from datetime import date

from newsletter import Member, Site, TemplateError, fill

member = Member("Ana", date(2024, 5, 1), 10, "hash-5521")
answer = ""
for template in (
    "{member}",
    "{member!r}",
    "{member!s:>200}",
    "{member.__dict__}",
    "{0}",
    "{member.name.__class__}",
):
    try:
        answer += fill(template, member, Site("News"), 3)
    except (TemplateError, AttributeError, LookupError):
        continue
sys.exit(0 if "hash-5521" in answer else 1)
