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
    """One computation of a cached value; its callers await ``future``, and share the result or the exception.

    ``produce()`` returns the value, or an awaitable of it. The value is cached under ``key`` and ``tags``, as
    an entry of the kind ``kind``, for ``ttl`` seconds. ``refresh`` means that the old value is still cached
    and this computation renews it in the background. ``stale`` means that the key was invalidated after the
    start, so the value is not cached. ``awaits`` lists the computations for which this one waits now.
    ``trace`` is the traceback of the exception, or None.
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
        """Give all waiting callers the value ``stored``; no effect if the computation has ended.

        ``stored`` is the record itself if its type is immutable, otherwise the bytes of its cache entry.
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
        """Raise ``error`` in all waiting callers; no effect if the computation has ended."""
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

    Raises what ``produce`` raises. Raises :class:`~crisol.errors.UnavailableError` if ``produce`` ends with
    ``CancelledError`` although the running task was not cancelled.
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
