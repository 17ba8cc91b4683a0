"""Words and numbers with single hyphens are slugs, short and long; other texts are none."""

from pages import PageError, check_slug


def refused(slug):
    """Tell whether the text is refused."""
    try:
        check_slug(slug)
    except PageError:
        return True
    return False


for slug in (
    "a",
    "home",
    "page-2",
    "2024-05-01-notes",
    "a-b-c",
    "draft-",
    "x" * 21,
    "-".join(["abcde"] * 20),
):
    assert check_slug(slug) == slug
for slug in ("", "-", "-a", "a--b", "Home", "a b", "a_b", "ä", "a-\n", "a/b", "a" * 121):
    assert refused(slug), slug
