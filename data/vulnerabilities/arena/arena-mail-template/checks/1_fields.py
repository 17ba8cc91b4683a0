"""The documented fields are filled in."""

from datetime import date

from newsletter import Member, Site, fill

member, site = Member("Zoë {x}", date(2024, 5, 1), 1250), Site("Garden & Sea")
assert fill("Dear {member.name},", member, site, 3) == "Dear Zoë {x},"
assert fill("{site.title} no. {number}", member, site, 3) == "Garden & Sea no. 3"
assert fill("since {member.joined}", member, site, 3) == "since 2024-05-01"
assert fill("{member.points} points, {member.points} in all", member, site, 3) == "1250 points, 1250 in all"
assert fill("no field at all", member, site, 3) == "no field at all"
assert fill("", member, site, 3) == ""
assert fill("{member.points} of {number}", Member("Bo", date(2024, 5, 1), 1249), site, 0) == "1249 of 0"
