"""Attributes of the same objects that are no documented fields are readable as well."""

import sys
from datetime import date

from newsletter import Member, Site, TemplateError, fill

member = Member("Ana", date(2024, 5, 1), 10, "hash-5521")
answer = ""
for template in ("{member.password_hash}", "{site._door_code}"):
    try:
        answer += fill(template, member, Site("News", 48213), 3)
    except (TemplateError, AttributeError, LookupError) as error:
        answer += str(error)
sys.exit(0 if "hash-5521" in answer or "48213" in answer else 1)
