"""A format specification may hold fields of its own: a secret number becomes the width."""

import sys
from datetime import date

from newsletter import Member, Site, TemplateError, fill

DOOR_CODE = 731

member = Member("Ana", date(2024, 5, 1))
try:
    text = fill("{member.name:{site._door_code}}", member, Site("News", DOOR_CODE), 3)
except (TemplateError, AttributeError, LookupError):
    sys.exit(1)
sys.exit(0 if len(text) == DOOR_CODE else 1)
