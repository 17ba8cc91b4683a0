"""Header fields as they are sent, and as ASGI hands them on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["lines", "pairs"]

_LINE = b"%b: %b\r\n"


def lines(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    r"""Return fields as they are sent.

    >>> lines([(b"retry-after", b"1"), (b"allow", b"POST")])
    b'retry-after: 1\r\nallow: POST\r\n'
    """
    return b"".join(map(_LINE.__mod__, fields))


def pairs(sent: bytes) -> list[tuple[bytes, bytes]]:
    r"""Return fields as ASGI hands them on.

    >>> pairs(b"retry-after: 1\r\nallow: POST\r\n")
    [(b'retry-after', b'1'), (b'allow', b'POST')]
    """
    parts = (line.partition(b": ") for line in sent.split(b"\r\n")[:-1])
    return [(name, value) for name, _, value in parts]
