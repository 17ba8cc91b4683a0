"""Empty places, leading commas and punctuation are no tags, alone or behind good ones."""

from pages import PageError, parse_tags

for line in (",", ",a", "a,,b", "a, ,b", "a;b", "a-b", "a , , b", "c++", "#x"):
    for text in (line, f"good, {line}", f"{line} "):
        try:
            parse_tags(text)
        except PageError:
            continue
        raise AssertionError(text)
assert parse_tags("a b, c") == ("a", "b", "c")
