"""Trace ids after W3C Trace Context: taken over from whoever asks, else made up, and told in answers and logs."""

from __future__ import annotations

import random
import re
from typing import NamedTuple

__all__ = ["Trace", "begin"]

_PARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-((?!0{32})[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})(-.*)?")
_bits = random.Random().getrandbits


class Trace(NamedTuple):
    """One request's place in a trace. ``sampled`` says that the caller keeps the trace, so that it can be looked up."""

    id: str
    span: str
    sampled: bool

    @property
    def header(self) -> bytes:
        """The ``traceparent`` of what this request causes."""
        return b"00-%b-%b-%b" % (self.id.encode(), self.span.encode(), b"01" if self.sampled else b"00")


def begin(parent: bytes | None) -> Trace:
    """Return this request's trace; a ``traceparent`` that is none begins a new one, as the standard says.

    >>> begin(b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").id
    '0af7651916cd43dd8448eb211c80319c'
    >>> begin(b"00-00000000000000000000000000000000-b7ad6b7169203331-01").sampled
    False
    """
    digits = "%048x" % _bits(192)  # noqa: UP031 - on every request, and twice as fast
    if parent is not None:
        found = _PARENT.fullmatch(parent)
        # Version 00 has nothing behind its flags.
        if found is not None and not (found[3] and parent.startswith(b"00")):
            return Trace(found[1].decode(), digits[:16], bool(int(found[2], 16) & 1))
    return Trace(digits[16:], digits[:16], sampled=False)
