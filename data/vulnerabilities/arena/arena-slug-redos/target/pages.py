"""Names and tags of wiki pages."""

import re
from dataclasses import dataclass

SLUG = re.compile(r"([a-z0-9]+-?)+")
TAGS = re.compile(r"(\s*\w+\s*,?\s*)+")
MAX_SLUG = 120


class PageError(ValueError):
    """A name or tags that a page cannot have."""


@dataclass(frozen=True)
class Page:
    """A page of the wiki."""

    slug: str
    title: str
    tags: tuple[str, ...]

    @property
    def address(self):
        """The path of the page."""
        return f"/wiki/{self.slug}"


def check_slug(slug):
    """Return the slug: lower-case words and numbers with single hyphens between them."""
    if len(slug) > MAX_SLUG:
        raise PageError("the slug is too long")
    if not SLUG.fullmatch(slug):
        raise PageError(f"not a slug: {slug!r}")
    return slug


def parse_tags(line):
    """Return the tags of a line, in order and once each; blanks or single commas stand between them."""
    if not line.strip():
        return ()
    if not TAGS.fullmatch(line):
        raise PageError(f"not tags: {line!r}")
    words = line.replace(",", " ").split()
    return tuple(dict.fromkeys(word.lower() for word in words))


def create(slug, title, tags=""):
    """Return a new page."""
    if not title.strip():
        raise PageError("a page needs a title")
    return Page(check_slug(slug), title.strip(), parse_tags(tags))
