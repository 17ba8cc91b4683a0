"""The short way from a whole request to a whole answer, for what needs no waiting: no task, no queue, one write.

A cache hit costs a few dozen microseconds, and most of what a server spends on it is getting there. So the protocol
asks here first, with the request complete in its hands. The walls are the same, in the same order, as behind
:class:`~crisol.service.shield.Shield`; what has to be waited for (Redis, a wargame, a long diff) goes on through them.
"""

from __future__ import annotations

from http import HTTPStatus
from time import perf_counter
from typing import TYPE_CHECKING

from crisol.service.fields import lines
from crisol.service.problems import document
from crisol.service.shield import HEADERS, failure

if TYPE_CHECKING:
    from crisol.service.hot import HotRoutes
    from crisol.service.ratelimit import RateLimitMiddleware
    from crisol.service.shield import Gate, Observer, Scope, Shield

__all__ = ["PATH", "Express"]

PATH = "/wargaming/ml-first"
_STATUS = {status.value: b"HTTP/1.1 %d %b\r\n" % (status, status.phrase.encode()) for status in HTTPStatus}
_LENGTH = b"%bcontent-length: %d\r\n"
_ANSWER = b"%b%b%b\r\n%b"


class Express:
    """Answers ``POST /wargaming/ml-first`` at once, or leaves it to the application."""

    def __init__(
        self, shield: Shield, limiter: RateLimitMiddleware, gate: Gate, hot: HotRoutes, observe: Observer
    ) -> None:
        self._shield = shield
        self._limiter = limiter
        self._gate = gate
        self._hot = hot
        self._observe = observe
        self._always = lines(HEADERS)
        self._good = _STATUS[200] + self._always + b"content-type: application/json\r\n"

    def __call__(self, scope: Scope, content: bytes) -> bytes | None:
        """Return everything that is to be sent, or None: then the application goes on with ``scope``."""
        start = perf_counter()
        taken = None
        try:
            self._shield.identify(scope)
            self._shield.check(scope)
            scope["crisol.taken"] = taken = self._limiter.begin(scope)
            if taken.room is not None:
                return None
            taken.check()
            gate = perf_counter()
            self._gate.admit(scope)
            self._gate.take(scope, content)
            inside = perf_counter()
            scope["crisol.gate"] = inside - gate
            found = self._hot.at_once(scope, content)
            if found is None:
                return None
            scope["crisol.seconds"] = perf_counter() - inside
            status, body, first = 200, found, _LENGTH % (self._good, len(found))
        except Exception as error:  # noqa: BLE001 - the last wall: nobody outside sees a trace
            problem = failure(error)
            status = problem.status
            body, headers = document(problem, scope["crisol.request_id"])
            first = _STATUS[status] + self._always + lines(headers)
        limits = b"" if taken is None else taken.lines
        self._observe(scope, status, perf_counter() - start)
        return _ANSWER % (first, limits, self._shield.ids(scope), body)
