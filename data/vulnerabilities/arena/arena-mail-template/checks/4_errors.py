"""Unknown fields and broken braces are a TemplateError, and the next template is filled."""

from datetime import date

from newsletter import Member, Site, TemplateError, fill

member, site = Member("Ana", date(2024, 5, 1)), Site("News")
for template in (
    "{reader}",
    "{member.nickname}",
    "{",
    "}",
    "{member.name",
    "{member.points:%}x{",
    "{number:abc}",
    "{0}",
    "{}",
    "{member.name.}",
):
    try:
        fill(template, member, site, 3)
    except TemplateError:
        continue
    raise AssertionError(template)
assert fill("{site.title} {number}", member, site, 3) == "News 3"
