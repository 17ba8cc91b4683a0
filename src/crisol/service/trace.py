"""Trace ids in the format of W3C Trace Context.

The trace id of a request comes from the client's header, or is generated. Answers and logs contain it.
"""

from __future__ import annotations

import random
import re
from typing import NamedTuple

__all__ = ["Trace", "begin"]

_PARENT = re.compile(
    rb"(?!ff)[0-9a-f]{2}-((?!0{32})[0-9a-f]{32})-((?!0{16})[0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
)
_NO_SPAN = "0" * 16
_random = random.Random()
_bits = _random.getrandbits


class Trace(NamedTuple):
    """The ids of one request in a distributed trace (W3C Trace Context), in hexadecimal.

    ``id`` is the id of the trace and ``span`` that of this request's span. ``parent`` is the id of the
    caller's span, zeros if the trace begins here. ``sampled`` says whether the request's spans are recorded
    and sent to a collector.
    """

    id: str
    span: str
    sampled: bool
    parent: str = _NO_SPAN

    @property
    def header(self) -> bytes:
        """The ``traceparent`` header that continues this trace in a call to another service."""
        return b"00-%b-%b-%b" % (self.id.encode(), self.span.encode(), b"01" if self.sampled else b"00")


def begin(parent: bytes | None, share: float = 0.0) -> Trace:
    """Return the trace ids of a request from its ``traceparent`` header, ``parent``.

    If the header is None or malformed, a new trace begins, and is sampled with the probability ``share``, 0
    to 1. Otherwise the caller's trace continues, and is sampled if the caller says so.

    >>> begin(b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").id
    '0af7651916cd43dd8448eb211c80319c'
    >>> begin(b"00-00000000000000000000000000000000-b7ad6b7169203331-01").sampled
    False
    """
    digits = "%048x" % _bits(192)  # noqa: UP031 - on every request, and twice as fast
    if parent is not None:
        match = _PARENT.fullmatch(parent)
        # Version 00 allows nothing after the flags.
        if match is not None and not (match[4] and parent.startswith(b"00")):
            return Trace(match[1].decode(), digits[:16], bool(int(match[3], 16) & 1), match[2].decode())
    return Trace(digits[16:], digits[:16], share > 0.0 and _random.random() < share)
