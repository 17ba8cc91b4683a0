"""Use asynchronous drivers from synchronous code: an event loop in a separate thread."""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import CancelledError, Future
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar
from weakref import WeakSet

from crisol.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextlib import AbstractAsyncContextManager

__all__ = ["Background"]

R = TypeVar("R")
T = TypeVar("T")


class Background(Generic[R]):
    """An asynchronous resource, such as a connection pool, for synchronous callers. Thread-safe.

    ::

        pool = Background(lambda: AsyncConnectionPool(dsn, open=False))
        rows = pool.call(query)  # runs ``await query(pool)`` in another thread and waits for it

    The argument ``opened`` is a function that returns an async context manager, which yields the resource.
    The first call enters the context manager, in the event loop of a separate thread; :meth:`close` leaves
    it. A forked child process opens its own resource at its first call.
    """

    def __init__(self, opened: Callable[[], AbstractAsyncContextManager[R]]) -> None:
        self._opened = opened
        self._live: _Live[R] | None
        self._reset()
        _living.add(self)

    def call(self, work: Callable[[R], Coroutine[Any, Any, T]]) -> T:
        """Return the result of ``await work(resource)``, which runs in the event loop of a separate thread.

        Waits as long as ``work`` takes. Raises what ``work`` raises, what opening the resource raises, and
        :class:`~crisol.errors.StoreError` after :meth:`close`.
        """
        with self._idle:
            if self._closed:
                raise StoreError("the store is closed")
            if self._live is None:
                self._live = self._start()
            live = self._live
            self._running += 1
        try:
            return asyncio.run_coroutine_threadsafe(work(live.resource), live.loop).result()
        except CancelledError:
            raise StoreError("the store was closed meanwhile") from None
        finally:
            with self._idle:
                self._running -= 1
                self._idle.notify_all()

    def close(self) -> None:
        """Wait for the running calls, then close the resource and end the thread.

        Later calls of :meth:`call` raise :class:`~crisol.errors.StoreError`. Closing twice is harmless.
        """
        with self._idle:
            self._closed = True
            self._idle.wait_for(lambda: not self._running)
            live, self._live = self._live, None
        if live is not None:
            live.loop.call_soon_threadsafe(live.stop.set)
            live.thread.join()

    def _reset(self) -> None:
        self._idle = threading.Condition()
        self._live = None
        self._running = 0
        self._closed = False

    def _start(self) -> _Live[R]:
        ready: Future[tuple[R, asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        thread = threading.Thread(
            target=lambda: asyncio.run(self._hold(ready)), name="crisol-store", daemon=True
        )
        thread.start()
        return _Live(*ready.result(), thread)

    async def _hold(self, ready: Future[tuple[R, asyncio.AbstractEventLoop, asyncio.Event]]) -> None:
        stop = asyncio.Event()
        try:
            async with self._opened() as resource:
                ready.set_result((resource, asyncio.get_running_loop(), stop))
                await stop.wait()
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)


class _Live(NamedTuple, Generic[R]):
    resource: R
    loop: asyncio.AbstractEventLoop
    stop: asyncio.Event
    thread: threading.Thread


_living: WeakSet[Background[Any]] = WeakSet()


def _forget() -> None:
    # A forked child has neither the parent's threads nor its locks, and must not use its connections.
    for background in _living:
        background._reset()  # noqa: SLF001 - of this module


os.register_at_fork(after_in_child=_forget)
