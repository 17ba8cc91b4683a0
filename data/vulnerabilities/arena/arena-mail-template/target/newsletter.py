"""Newsletters from templates that editors write."""

from dataclasses import dataclass
from datetime import date

API_KEY = "unset"

FIELDS = """Fields of a template:

{member.name}    name of the reader
{member.joined}  day of the subscription; a format such as :%d.%m.%Y may follow
{member.points}  collected points; a format such as :>6 may follow
{site.title}     title of the newsletter
{number}         number of this issue
"""


class TemplateError(ValueError):
    """A template that cannot be filled; the text is for the editor."""


@dataclass
class Member:
    """A reader."""

    name: str
    joined: date
    points: int = 0
    password_hash: str = ""


class Site:
    """The newsletter itself."""

    def __init__(self, title, door_code=0):
        self.title = title
        self._door_code = door_code


@dataclass(frozen=True)
class Letter:
    """A letter to one reader."""

    to: str
    subject: str
    body: str


def fill(template, member, site, number):
    """Return the template with its fields filled in."""
    try:
        return template.format(member=member, site=site, number=number)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise TemplateError(f"cannot fill the template: {error}") from None


def write_letters(subject, template, members, site, number):
    """Return a letter for each member."""
    return [
        Letter(member.name, fill(subject, member, site, number), fill(template, member, site, number))
        for member in members
    ]
