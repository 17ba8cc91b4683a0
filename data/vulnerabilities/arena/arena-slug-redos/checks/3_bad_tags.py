"""Empty places, leading commas and punctuation are no tags."""

from pages import PageError, parse_tags

for line in (",", ",a", "a,,b", "a, ,b", "a;b", "a-b", "a , , b", "c++", "#x"):
    try:
        parse_tags(line)
    except PageError:
        continue
    raise AssertionError(line)
