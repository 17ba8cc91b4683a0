"""Store one value for each vulnerability, such as its verdicts, until the vulnerability's content changes."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ByContent"]

T = TypeVar("T")


class ByContent(Generic[T]):
    """A store of one value, such as a list of verdicts, for each of at most ``most`` vulnerabilities.

    ``make()`` returns the value of a new vulnerability, such as an empty list. If the content hash of a
    vulnerability changes, the vulnerability gets a new value. If more than ``most`` vulnerabilities have a
    value, the least recently used value is removed.

    >>> verdicts = ByContent(list)
    >>> verdicts.of("arena-zip-slip", "hash").append("valid")
    >>> verdicts.get("arena-zip-slip", "hash"), verdicts.get("arena-zip-slip", "another hash")
    (['valid'], None)
    """

    def __init__(self, make: Callable[[], T], most: int = 256) -> None:
        self._make = make
        self._most = most
        self._values: OrderedDict[str, tuple[str, T]] = OrderedDict()

    def get(self, vulnerability: str, content_hash: str) -> T | None:
        """Return the value stored for a vulnerability with this content hash, or None.

        ``vulnerability`` is the vulnerability's id.
        """
        content, value = self._values.get(vulnerability, ("", None))
        if value is None or content != content_hash:
            return None
        self._values.move_to_end(vulnerability)
        return value

    def of(self, vulnerability: str, content_hash: str) -> T:
        """Return the value stored for a vulnerability with this content hash; if there is none, store one.

        ``vulnerability`` is the vulnerability's id. The new value is the result of ``make()``.
        """
        value = self.get(vulnerability, content_hash)
        if value is None:
            value = self._make()
            self._values[vulnerability] = content_hash, value
            self._values.move_to_end(vulnerability)
            if len(self._values) > self._most:
                self._values.popitem(last=False)
        return value
