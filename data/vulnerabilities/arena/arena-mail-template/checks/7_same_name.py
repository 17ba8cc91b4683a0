"""Two members of one name get letters with their own fields, in whatever order they are filled."""

from datetime import date

from newsletter import Member, Site, fill

site = Site("Harbour", 12_345)
first = Member("Ann", date(2020, 5, 3), 7, "x1")
second = Member("Ann", date(2021, 6, 4), 9, "x2")
for member in (first, second, first):
    letter = fill("{member.name} {member.points} {member.joined:%Y}", member, site, 3)
    assert letter == f"Ann {member.points} {member.joined.year}", letter
