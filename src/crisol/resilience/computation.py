"""One computation of a cached value: any number of callers wait for it, and none of them owns it."""

from __future__ import annotations

import asyncio
import inspect
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from crisol.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from crisol.resilience.kinds import Kind

__all__ = ["COMPUTING", "Computation", "produced"]


class Computation:
    """One computation of a cached value, for which any number of callers wait by awaiting ``future``.

    ``produce()`` returns the value of ``key``, or an awaitable of it; the value is then cached for ``ttl``
    seconds under ``tags``. ``kind`` is that of the entry. ``awaits`` lists the computations for which this
    one waits now. ``trace`` is the traceback of its error, None without one. ``refresh`` means that a cached
    value exists and is renewed in the background; ``stale`` that the key was invalidated meanwhile, so the
    value is not cached.
    """

    __slots__ = ("awaits", "future", "key", "kind", "produce", "refresh", "stale", "tags", "trace", "ttl")

    def __init__(
        self,
        kind: Kind[Any],
        key: bytes,
        produce: Callable[[], Any],
        ttl: float,
        tags: tuple[str, ...],
        *,
        refresh: bool,
    ) -> None:
        self.kind = kind
        self.key = key
        self.produce = produce
        self.ttl = ttl
        self.tags = tags
        self.refresh = refresh
        self.future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.awaits: list[Computation] = []
        """The computations that this one waits for now."""
        self.stale = False
        self.trace: TracebackType | None = None

    def resolve(self, stored: Any) -> None:
        """Give ``stored``, the value, to all callers that wait; no effect once there is a result or error."""
        if not self.future.done():
            self.future.set_result(stored)

    def needs(self, waiter: Computation) -> bool:
        """Return whether this is ``waiter``, or waits for it directly or through other computations."""
        return self is waiter or any(computation.needs(waiter) for computation in self.awaits)

    def failed_with(self, error: BaseException) -> bool:
        """Return whether this computation ended with the exception ``error`` (the same object)."""
        future = self.future
        return future.done() and not future.cancelled() and future.exception() is error

    def fail(self, error: BaseException) -> None:
        """Raise ``error`` in all callers that wait; no effect once there is a result or an error."""
        if not self.future.done():
            self.trace = error.__traceback__
            self.future.set_exception(error)
            # Read once, so that a failure nobody waits for any more is not reported by the loop as well.
            self.future.exception()


COMPUTING: ContextVar[Computation | None] = ContextVar("computing", default=None)
"""The computation that the running task belongs to."""


async def produced(computation: Computation) -> Any:
    """Return the value: call ``computation.produce``, and await the result if it is awaitable.

    Raises :class:`~crisol.errors.UnavailableError` if ``produce`` is cancelled from inside.
    """
    try:
        value = computation.produce()
        return await value if inspect.isawaitable(value) else value
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise UnavailableError(
            f"computing a {computation.kind.name} was cancelled from inside; ask again"
        ) from None
