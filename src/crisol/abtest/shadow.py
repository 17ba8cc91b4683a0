"""Run the wargames of sampled patches in the background, so that callers need not wait for them.

::

    async with ShadowQueue(wargame, record, concurrency=2, limit=100) as shadow:
        shadow.offer(patch)                    # returns at once; False if the queue is full
        verdict = await shadow.verdict(patch)  # blocking mode: wait for the wargame
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from crisol.errors import SettingsError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

__all__ = ["ShadowQueue", "ShadowStats"]

J = TypeVar("J")
R = TypeVar("R")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ShadowStats:
    """Counts of the jobs of a shadow queue.

    ``queued`` and ``running`` are the present numbers of waiting and running jobs. The others count since the
    start: ``done`` the jobs whose trial was stored, ``failed`` the jobs that ended in an exception,
    ``dropped`` the jobs that were refused because the queue was full or closed. A job that is given up when
    the queue closes is in none of them.
    """

    queued: int
    running: int
    done: int
    failed: int
    dropped: int


class ShadowQueue(Generic[J, R]):
    """A queue of wargames that run in the background; at most ``concurrency`` run and ``limit`` wait.

    Use it as an ``async with`` block, in one event loop. A job is any object that describes a wargame. For
    each job the queue awaits ``wargame(job)``, which returns the verdict, then ``record(job, verdict)``,
    which stores the trial. An exception of either is counted, and the queue goes on. While ``limit`` jobs
    wait, a new job is refused; it gives no trial. Leaving the block waits at most ``grace`` seconds for the
    jobs, then cancels the running jobs and drops the waiting ones. Raises
    :class:`~crisol.errors.SettingsError` if ``concurrency`` or ``limit`` is below 1.
    """

    def __init__(
        self,
        wargame: Callable[[J], Awaitable[R]],
        record: Callable[[J, R], Awaitable[None]],
        *,
        concurrency: int = 2,
        limit: int = 100,
        grace: float = 30.0,
    ) -> None:
        if concurrency < 1 or limit < 1:
            raise SettingsError(f"concurrency is {concurrency} and limit {limit}: both are at least 1")
        self._wargame = wargame
        self._record = record
        self._concurrency = concurrency
        self._grace = grace
        self._jobs: asyncio.Queue[tuple[J, asyncio.Future[R] | None]] = asyncio.Queue(limit)
        self._workers: list[asyncio.Task[None]] = []
        self._running = self._done = self._failed = self._dropped = 0

    async def __aenter__(self) -> Self:
        self._workers = [asyncio.create_task(self._work()) for _ in range(self._concurrency)]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait at most ``grace`` seconds until all jobs have ended, then cancel the rest.

        Each call of :meth:`verdict` that still waits then raises :class:`~crisol.errors.UnavailableError`.
        """
        try:
            await asyncio.wait_for(self._jobs.join(), self._grace)
        except TimeoutError:
            _log.warning("%d wargames dropped at shutdown", self._jobs.qsize() + self._running)
        finally:
            for worker in self._workers:
                worker.cancel()
            await asyncio.gather(*self._workers, return_exceptions=True)
            self._workers = []
            while not self._jobs.empty():
                self._abandon(self._jobs.get_nowait()[1])

    @property
    def stats(self) -> ShadowStats:
        """The present counts of jobs: waiting, running, done, failed and dropped."""
        return ShadowStats(self._jobs.qsize(), self._running, self._done, self._failed, self._dropped)

    def offer(self, job: J) -> bool:
        """Add a job to the queue without waiting; return whether it was added.

        False means that the queue is full or closed, and counts the job as dropped.
        """
        if self._workers and not self._jobs.full():
            self._jobs.put_nowait((job, None))
            return True
        self._dropped += 1
        return False

    async def verdict(self, job: J) -> R:
        """Add a job to the queue, wait for its wargame, and return the verdict.

        A cancelled call does not cancel the wargame, whose trial is still stored. Raises the errors of the
        wargame, and :class:`~crisol.errors.UnavailableError` if the queue is full, or is closed before the
        wargame ends.
        """
        if not self._workers or self._jobs.full():
            self._dropped += 1
            raise UnavailableError("the wargame queue is full: try again later, or ask in shadow mode")
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._jobs.put_nowait((job, answer))
        return await answer

    async def _work(self) -> None:
        while True:
            job, answer = await self._jobs.get()
            self._running += 1
            try:
                await self._run(job, answer)
            finally:
                self._running -= 1
                self._abandon(answer)
                self._jobs.task_done()

    async def _run(self, job: J, answer: asyncio.Future[R] | None) -> None:
        try:
            verdict = await self._wargame(job)
            try:
                # The trial is stored before the answer is given, so that no answered request lacks its trial
                # after a crash.
                await self._record(job, verdict)
            finally:
                if answer is not None and not answer.done():
                    answer.set_result(verdict)
        except Exception as error:  # noqa: BLE001 - whatever a wargame raises, the next job runs
            self._failed += 1
            if answer is not None and not answer.done():
                answer.set_exception(error)
            else:
                _log.warning("a shadow wargame left no trial: %s", error)
        else:
            self._done += 1

    @staticmethod
    def _abandon(answer: asyncio.Future[R] | None) -> None:
        if answer is not None and not answer.done():
            answer.set_exception(UnavailableError("the wargame queue closed before this wargame ended"))
