"""Doubled braces are braces; words such as __init__ outside of fields are text."""

from datetime import date

from newsletter import Member, Site, fill

member, site = Member("Ana", date(2024, 5, 1)), Site("News")
assert fill("{{member.name}}", member, site, 3) == "{member.name}"
assert fill("{{{member.name}}}", member, site, 3) == "{Ana}"
assert fill("Python's __init__ and _private", member, site, 3) == "Python's __init__ and _private"
assert fill("100 % $name", member, site, 3) == "100 % $name"
