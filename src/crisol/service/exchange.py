"""The record of a request and its answer; middleware and endpoints find it in ``scope["crisol"]``."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crisol.service import trace
from crisol.service.problems import Problem

if TYPE_CHECKING:
    from types import TracebackType

    from crisol.resilience.bucket import BucketDecision as Quota
    from crisol.service.asgi import Receive, Scope
    from crisol.service.trace import Trace
    from crisol.validation.validator import Validated

__all__ = ["Exchange", "Present", "begin"]

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_LOOK_SECONDS = 0.05


@dataclass(slots=True)
class Exchange:
    """The record of one request and its answer; each middleware fills some fields. Times are in seconds.

    - ``headers``: the request's headers by name, in lower case. A repeated header has its last value.
    - ``body``: the body of the request.
    - ``request_id``: the id of the request. ``trace``: its ids in distributed tracing (W3C Trace Context).
    - ``client``: the address by which the request is counted. ``limit``: the name of its rate limit, "" for
      none. ``quota``: the decision by this limit, None for none.
    - ``status``: the HTTP status of the answer, 0 before the answer begins.
    - ``answer_headers``: headers that are added to the answer.
    - ``validated``: the decision about a patch that the answer reports, None without one.
    - ``limit_seconds``: the time that the check of the rate limit took. ``gate_seconds``: the time that the
      checks in :class:`~crisol.service.gate.Gate` took. ``inside_seconds``: the time that the application
      behind both took.
    """

    headers: dict[bytes, bytes]
    request_id: str
    trace: Trace
    answer_headers: list[tuple[bytes, bytes]]
    status: int = 0
    client: str = ""
    limit: str = ""
    quota: Quota | None = None
    body: bytes = b""
    validated: Validated | None = None
    limit_seconds: float = 0.0
    gate_seconds: float = 0.0
    inside_seconds: float = 0.0


def begin(scope: Scope, traced: float = 0.0) -> Exchange:
    """Make the record of a request, store it as ``scope["crisol"]`` and return it.

    ``scope`` is the request's ASGI scope. The trace spans of a request are sent if its ``traceparent`` header
    says so. For a request without a valid header of this name, they are sent with the probability ``traced``,
    0 to 1.
    """
    headers: dict[bytes, bytes] = dict(scope["headers"])
    begun = trace.begin(headers.get(b"traceparent"), traced)
    header = headers.get(b"x-request-id")
    accepted = header is not None and _REQUEST_ID.fullmatch(header)
    request_id = accepted[0].decode() if accepted else begun.id
    ids = [(b"x-request-id", request_id.encode()), (b"traceparent", begun.header)]
    exchange = scope["crisol"] = Exchange(headers, request_id, begun, ids)
    return exchange


class Present:
    """A context manager that cancels its block if the client disconnects: ``async with Present(receive):``.

    ``receive`` is the ASGI function of the request. The request's body must have been read before, and the
    block must not call ``receive``. A block that takes less than 50 ms is never cancelled, because the object
    begins to watch the client only after this time. A cancelled block raises
    :class:`~crisol.service.problems.Problem` with status 499.
    """

    __slots__ = ("_left", "_receive", "_task", "_timer", "_watcher")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._left = False
        self._watcher: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        self._task = asyncio.current_task()
        self._timer = asyncio.get_running_loop().call_later(_LOOK_SECONDS, self._look)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._timer.cancel()
        if self._watcher is not None:
            self._watcher.cancel()
            # A cancelled task keeps its traceback, whose frame refers to this object: together they would
            # keep the request, with its body, until the next garbage collection.
            self._watcher = None
        if (
            self._left
            and self._task is not None
            and self._task.uncancel() == 0
            and kind is asyncio.CancelledError
        ):
            raise Problem(499, "the client left before its answer was there") from error

    def _look(self) -> None:
        self._watcher = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._left = True
        if self._task is not None:
            self._task.cancel()
