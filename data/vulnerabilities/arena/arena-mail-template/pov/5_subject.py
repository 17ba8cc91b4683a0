"""The subject line is a template too."""

import sys
from datetime import date

import newsletter
from newsletter import Member, Site, TemplateError, write_letters

newsletter.API_KEY = "k-7291"
member = Member("Ana", date(2024, 5, 1), 10, "hash-5521")
subject = "{member.__init__.__globals__[API_KEY]} {member.password_hash}"
answer = ""
try:
    (letter,) = write_letters(subject, "Hello", [member], Site("News"), 3)
    answer = letter.subject
except (TemplateError, AttributeError, LookupError) as error:
    answer = str(error)
sys.exit(0 if "k-7291" in answer or "hash-5521" in answer else 1)
