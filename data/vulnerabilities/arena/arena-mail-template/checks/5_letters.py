"""Each member gets a letter of the own."""

from datetime import date

from newsletter import Letter, Member, Site, write_letters

members = [Member("Ana", date(2024, 5, 1), 5), Member("Bo", date(2023, 1, 2), 12)]
letters = write_letters(
    "{site.title} {number}", "{member.name}: {member.points:>3}", members, Site("News"), 8
)
assert letters == [Letter("Ana", "News 8", "Ana:   5"), Letter("Bo", "News 8", "Bo:  12")]
