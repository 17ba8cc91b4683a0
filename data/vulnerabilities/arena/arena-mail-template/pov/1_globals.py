"""A field leads over the constructor to the globals of the module."""

import sys
from datetime import date

import newsletter
from newsletter import Member, Site, TemplateError, fill

newsletter.API_KEY = "k-7291"
member = Member("Ana", date(2024, 5, 1))
answer = ""
for template in ("{member.__init__.__globals__[API_KEY]}", "{site.__init__.__globals__[API_KEY]}"):
    try:
        answer += fill(template, member, Site("News"), 3)
    except (TemplateError, AttributeError, LookupError) as error:
        answer += str(error)
sys.exit(0 if "k-7291" in answer else 1)
