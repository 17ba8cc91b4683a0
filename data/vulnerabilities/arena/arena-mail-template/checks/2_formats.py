"""Format specifications and conversions work on days, numbers and names."""

from datetime import date

from newsletter import Member, Site, fill

member, site = Member("Ana", date(2024, 5, 1), 1250), Site("News")
assert fill("{member.joined:%d.%m.%Y}", member, site, 3) == "01.05.2024"
assert fill("{member.joined:%j/%y}", member, site, 3) == "122/24"
assert fill("{member.points:>6}|", member, site, 3) == "  1250|"
assert fill("{member.points:,}", member, site, 3) == "1,250"
assert fill("{member.name:*^9}", member, site, 3) == "***Ana***"
assert fill("{number:03d}", member, site, 3) == "003"
assert fill("{member.name!r}", member, site, 3) == "'Ana'"
assert fill("{member.points:+.1f}", member, site, 3) == "+1250.0"
assert fill("{member.name!s:>5}|{member.points!r:<6}|", member, site, 3) == "  Ana|1250  |"
