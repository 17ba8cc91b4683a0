"""Readers and books of a small library, kept in one XML document."""

import xml.etree.ElementTree as ET
from dataclasses import dataclass


class LibraryError(ValueError):
    """A question that the library cannot answer."""


@dataclass(frozen=True)
class Reader:
    """A reader who has logged in."""

    name: str
    role: str
    loans: tuple


@dataclass(frozen=True)
class Book:
    """What everybody may know about a book."""

    title: str
    shelf: str
    summary: str


class Library:
    """The document: readers with name, pin and loans; books with title, shelf, state and summary."""

    def __init__(self, document):
        self._root = ET.fromstring(document)

    def _first(self, path):
        try:
            return self._root.find(path)
        except (SyntaxError, KeyError) as error:
            raise LibraryError(f"bad question: {error}") from None

    def log_in(self, name, pin):
        """Return the reader with this name and PIN, or None."""
        found = self._first(f"./reader[@name='{name}'][@pin='{pin}']")
        if found is None:
            return None
        loans = tuple(loan.text for loan in found.findall("loan"))
        return Reader(found.get("name"), found.get("role", "reader"), loans)

    def book(self, title):
        """Return the open book of this title, or None."""
        found = self._first(f"./book[@state='open'][@title='{title}']")
        if found is None:
            return None
        return Book(found.get("title", ""), found.get("shelf", ""), found.findtext("summary", ""))

    def titles(self, shelf):
        """Return the titles of the open books on a shelf, in order."""
        try:
            found = self._root.findall(f"./book[@state='open'][@shelf='{shelf}']")
        except (SyntaxError, KeyError) as error:
            raise LibraryError(f"bad question: {error}") from None
        return sorted(book.get("title", "") for book in found)
