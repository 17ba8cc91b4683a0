"""The head that a client sent last, by which its next request is known without being parsed.

Whoever keeps a connection open sends the same head again and again, but for the length of the body. What the parser
made of those bytes once, it would make of them every time; so it is not asked, and neither are its callbacks.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crisol.service.shield import Scope

__all__ = ["Repeat"]

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,9})(?=\r\n)", re.IGNORECASE)
_END = b"\r\n\r\n"
_NEVER = frozenset(
    {
        # What they ask for is the parser's business.
        b"expect",
        b"transfer-encoding",
        b"upgrade",
        # Another one in every request.
        b"traceparent",
        b"x-request-id",
    }
)


class Repeat:
    """A request whose head was read before: all of it but the digits of its body's length.

    ``scope`` is what the parser made of ``data``, which was one whole request with the body ``body``.
    """

    __slots__ = ("_after", "_before", "_headers", "_longest", "_place", "_scope")

    def __init__(self, before: bytes, after: bytes, scope: Scope, place: int, longest: int) -> None:
        self._before = before
        self._after = after
        self._scope = {key: value for key, value in scope.items() if not key.startswith("crisol.")}
        self._headers: list[tuple[bytes, bytes]] = scope["headers"]
        self._place = place
        self._longest = longest

    @classmethod
    def of(cls, data: bytes, scope: Scope, body: bytes, longest: int) -> Repeat | None:
        """Return what to know the next request by, with a body of at most ``longest`` bytes; None: it has to be parsed.

        ``scope`` is what the parser made of ``data``, and ``body`` the body that it found in there.
        """
        names = [name for name, _ in scope["headers"]]
        head = data[: len(data) - len(body)]
        lengths = list(_LENGTH.finditer(head))
        if not (
            _NEVER.isdisjoint(names)
            and names.count(b"content-length") == len(lengths) == 1
            # One request, and all of it: neither the rest of another one nor two of them.
            and head.count(_END) == 1
            and head.endswith(_END)
            and data.endswith(body)
        ):
            return None
        start, end = lengths[0].span(1)
        return cls(head[:start], head[end:], scope, names.index(b"content-length"), longest)

    def split(self, data: bytes) -> tuple[dict[str, Any], bytes] | None:
        """Return scope and body, if ``data`` is one whole request with this head."""
        before, after = self._before, self._after
        if not data.startswith(before):
            return None
        start = len(before)
        end = data.find(b"\r", start, start + 10)
        digits = data[start:end]
        at = end + len(after)
        if not (end > 0 and digits.isdigit() and data.startswith(after, end)):
            return None
        if len(data) - at != int(digits) or int(digits) > self._longest:
            return None
        scope = self._scope.copy()
        scope["headers"] = headers = self._headers.copy()
        headers[self._place] = b"content-length", digits
        return scope, data[at:]
