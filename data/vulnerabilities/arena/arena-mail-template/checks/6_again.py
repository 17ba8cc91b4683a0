"""After a template that cannot be filled the next one is, in every thread; members stay as they are."""

import threading
from datetime import date

from newsletter import Letter, Member, Site, TemplateError, fill, write_letters

member, site = Member("Ana", date(2024, 5, 1), 7, "hash"), Site("News", 42)
results = []


def work():
    """Fill what is broken, and then what is not."""
    for template in ("{", "{member.nobody}", "{number:abc}", "{0}", "{site.title!z}"):
        try:
            write_letters("x", template, [member], site, 3)
        except TemplateError:
            continue
        raise AssertionError(template)
    results.append(fill(template="{member.name:>5}{number}", member=member, site=site, number=3))


work()
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert results == ["  Ana3"] * 3
assert write_letters("s", "b", [], site, 1) == []
letters = write_letters(subject="{number}", template="{{}}", members=(member, member), site=site, number=1)
assert letters == [Letter("Ana", "1", "{}")] * 2
assert member == Member("Ana", date(2024, 5, 1), 7, "hash") and site.title == "News"
assert fill("{site.title} {member.joined}", Member("{number}", date(1999, 1, 2)), Site("{member}"), 1) == "{member} 1999-01-02"
