"""The computation of a cached value, which callers share: it continues if one of them is cancelled."""

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
    """One computation of a cached value; all callers await ``future``, and get the same result or exception.

    ``produce()`` returns the value, or an awaitable that returns the value. The value is then cached under
    ``key`` for ``ttl`` seconds, as an entry of the kind ``kind`` with the tags ``tags``. ``refresh`` is True
    if the old value is still cached and this computation renews it in the background. ``stale`` is True if
    the entry was invalidated after the start; the value is then not cached. ``awaits`` lists the computations
    for which this one waits now. ``trace`` is the traceback of the exception, None without an exception.
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
        """End the computation: all waiting callers get the value ``stored``; no effect if it has ended.

        ``stored`` is the record itself if its type is immutable. Otherwise it is the bytes of the cache
        entry, which each caller decodes.
        """
        if not self.future.done():
            self.future.set_result(stored)

    def needs(self, waiter: Computation) -> bool:
        """Return whether this computation is ``waiter`` or waits, directly or through others, for ``waiter``.

        A computation waits for those in its ``awaits``. If the result is True, ``waiter`` must not wait for
        this computation: both would wait forever.
        """
        return self is waiter or any(computation.needs(waiter) for computation in self.awaits)

    def failed_with(self, error: BaseException) -> bool:
        """Return whether this computation ended with the exception object ``error``."""
        future = self.future
        return future.done() and not future.cancelled() and future.exception() is error

    def fail(self, error: BaseException) -> None:
        """End the computation: ``error`` is raised in all waiting callers; no effect if it has ended."""
        if not self.future.done():
            self.trace = error.__traceback__
            self.future.set_exception(error)
            # The exception is read once, so that the event loop does not report a failure for which no caller
            # waits.
            self.future.exception()


COMPUTING: ContextVar[Computation | None] = ContextVar("computing", default=None)
"""The computation to which the running task belongs."""


async def produced(computation: Computation) -> Any:
    """Return the value that ``computation.produce()`` returns; an awaitable is awaited first.

    Raises what ``produce`` raises, but ``CancelledError`` only if the running task itself was cancelled. If
    ``produce`` ends with ``CancelledError`` for another reason, :class:`~crisol.errors.UnavailableError` is
    raised.
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
