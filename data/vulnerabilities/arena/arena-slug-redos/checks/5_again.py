"""After a refused slug or line the next one is taken, in every thread; the limits are where they were."""

import threading

from pages import Page, PageError, check_slug, create, parse_tags

results = []


def work():
    """Try what is refused, and then what is not."""
    for function, text in ((check_slug, "a--b"), (check_slug, "a" * 121), (parse_tags, "a,,b"), (parse_tags, "!")):
        try:
            function(text)
        except PageError:
            continue
        raise AssertionError(text)
    results.append(create(slug="a" * 120, title="T", tags="x\ny\tz ,\n"))


work()
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert results == [Page("a" * 120, "T", ("x", "y", "z"))] * 3
assert check_slug(slug="0-1-2-" * 20) == "0-1-2-" * 20
assert parse_tags(line=" ".join(f"t{n}" for n in range(3000)))[-1] == "t2999"
assert create("a", "\tT\n").tags == ()
