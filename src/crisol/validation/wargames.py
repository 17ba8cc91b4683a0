"""Wargames for a service: a bounded number at a time, a queue, and sandboxes that stay open."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from contextvars import copy_context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from crisol.errors import IndexUnavailable, Overloaded, SettingsError, UnknownVulnerability
from crisol.records import Phase, PhaseName, Reason, Verdict
from crisol.sandbox import choose
from crisol.validation.line import Line
from crisol.wargaming.fitting import fitted
from crisol.wargaming.order import Experience
from crisol.wargaming.referee import Match, open_match

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path
    from types import TracebackType

    from crisol.diff import Fitted
    from crisol.validation.catalogue import Catalogue, Pattern

__all__ = ["RefereeStats", "Referees"]

_FIRST_GUESS = 0.5
_TREES = 1_000
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RefereeStats:
    """Counters of the wargames in this process.

    ``waiting`` and ``running`` are the numbers of wargames now, ``open`` is the number of open sandboxes.
    Since the start, ``done`` counts the wargames that have ended, whatever their verdict, and ``rejected``
    those that never ran, because the queue was full or every caller had left. ``mean_seconds`` is a moving
    average of a wargame's duration, including the start of its sandbox; before the first wargame it is 0.5.
    """

    waiting: int
    running: int
    open: int
    done: int
    rejected: int
    mean_seconds: float


class _Table:
    """An open sandbox: the ``match`` that judges patches in it, and the ``ExitStack`` that closes it."""

    __slots__ = ("match", "stack")

    def __init__(self, stack: ExitStack, match: Match) -> None:
        self.stack = stack
        self.match = match


class Referees:
    """A pool of referees, which wargames patches in threads; use it as an async context manager.

    :meth:`judge` gives the verdict on a patch. At most ``concurrency`` wargames run at a time and at most
    ``line`` more wait in a queue; any further wargame is refused. Use it in one event loop.

    - ``catalogue`` finds vulnerabilities; ``cache`` is the folder of downloaded releases.
    - ``sandbox`` is ``auto``, ``bubblewrap``, ``namespaces`` or ``weak``, as in
      :func:`crisol.sandbox.choose`.
    - ``warm`` is the largest number of sandboxes that stay open between wargames.
    - ``seconds`` is the time limit of all runs of one patch together.
    - ``secret`` is True if scripts draw random values that a patch cannot predict. If it is False, they draw
      the values of a corpus build, so that verdicts repeat.
    - ``experience`` orders the scripts so that wrong patches fail early; None starts without experience.

    Raises :class:`~crisol.errors.SettingsError` if ``concurrency`` or ``line`` is below 1, or ``warm`` below
    0.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        cache: Path,
        *,
        sandbox: str = "auto",
        concurrency: int = 2,
        line: int = 64,
        warm: int = 8,
        seconds: float = 30.0,
        secret: bool = True,
        experience: Experience | None = None,
    ) -> None:
        if concurrency < 1 or line < 1 or warm < 0:
            raise SettingsError(
                f"wargames: {concurrency} at a time, {line} in line, {warm} warm is out of range"
            )
        self._catalogue = catalogue
        self._cache = cache
        self._sandbox = sandbox
        self._concurrency = concurrency
        self._warm = warm
        self._seconds = seconds
        self._secret = secret
        self._experience = Experience() if experience is None else experience
        self._line = Line(concurrency, line)
        self._threads = ThreadPoolExecutor(concurrency, thread_name_prefix="referee")
        self._lock = threading.Lock()
        self._idle: OrderedDict[tuple[str, str], list[_Table]] = OrderedDict()
        self._open = self._running = self._done = self._rejected = 0
        self._mean = _FIRST_GUESS
        self._trees: dict[tuple[str, str], Path] = {}
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let running wargames end, then close every sandbox."""
        await asyncio.to_thread(self._shut)

    @property
    def stats(self) -> RefereeStats:
        """The counters of the wargames, as they are now."""
        return RefereeStats(
            self._line.waiting, self._running, self._open, self._done, self._rejected, self._mean
        )

    def attended(self, key: bytes) -> AbstractContextManager[None]:
        """Return a context manager; in its block the caller counts as waiting for a verdict.

        ``key`` is the key of the verdict. When the last caller of a key leaves the block, the wargame is
        given up if it still waits in the queue.
        """
        return self._line.attended(key)

    async def fit(self, pattern: Pattern, text: str) -> Fitted:
        """Return the cut patch of the untrusted diff ``text``: the part that changes files of the release.

        ``pattern`` is the vulnerability. If the release cannot be downloaded, files are kept or left out by
        their names alone. Raises :class:`~crisol.errors.DiffError` for a text that is not a diff and
        :class:`~crisol.errors.PatchDoesNotApply` for a patch that does not fit the release.
        """
        return await asyncio.to_thread(self._fit, pattern, text)

    def _fit(self, pattern: Pattern, text: str) -> Fitted:
        key = (pattern.id, pattern.content_hash)
        tree = self._trees.get(key)
        if tree is None and (vulnerability := self._catalogue.open(pattern.id)) is not None:
            try:
                tree = vulnerability.vulnerable(self._cache)
            except IndexUnavailable:
                return fitted(text, None)
            if len(self._trees) >= _TREES:
                self._trees.clear()
            self._trees[key] = tree
        return fitted(text, tree)

    async def judge(self, pattern: Pattern, text: str, *, key: bytes, client: str = "") -> Verdict:
        """Return the verdict of a wargame on the untrusted diff ``text``; a patch cannot cause an exception.

        ``pattern`` is the vulnerability. ``key`` is the key of the verdict, any bytes. Call this method in
        the block of :meth:`attended` with the same key; outside of such a block, a wargame that cannot begin
        at once is rejected. ``client`` is the address of the caller, by which the queue is kept fair. A
        wargame that has begun is not cancelled. Raises :class:`~crisol.errors.Overloaded` if the wargame is
        rejected or the queue has no place for the client, :class:`~crisol.errors.UnavailableError` if there
        is no sandbox or no release, and :class:`~crisol.errors.UnknownVulnerability` if the vulnerability's
        folder has changed or is missing.
        """
        try:
            await self._line.enter(key, client, self.patience)
        except Overloaded:
            self._rejected += 1
            raise
        self._running += 1
        loop = asyncio.get_running_loop()
        job = loop.run_in_executor(self._threads, copy_context().run, self._judge, pattern, text)

        def leave(job: asyncio.Future[Verdict]) -> None:
            self._running -= 1
            self._done += 1
            self._line.leave(client)
            if not job.cancelled():
                job.exception()

        job.add_done_callback(leave)
        # A caller that stops waiting must not free its place while the thread is still at work.
        return await asyncio.shield(job)

    @property
    def patience(self) -> float:
        """The seconds, at least 1, that a rejected client should wait before it tries again."""
        return max(1.0, self._mean * (self._line.waiting + 1) / self._concurrency)

    def _judge(self, pattern: Pattern, text: str) -> Verdict:
        start = time.perf_counter()
        table = self._take(pattern)
        try:
            verdict = table.match.judge(text)
        except Exception as error:  # noqa: BLE001 - no patch may be an exception of ours, whatever it does to the referee
            _log.exception("the referee failed on a patch for %s", pattern.id)
            detail = f"the referee failed: {type(error).__name__}"
            failed = Phase(PhaseName.APPLY, Reason.SANDBOX_FAILED, time.perf_counter() - start, detail)
            verdict = Verdict((failed,), failed.seconds, table.match.sandbox)
        if verdict.reason is Reason.SANDBOX_FAILED:
            self._close(table)
            verdict = self._rerun_baseline(pattern, verdict)
        else:
            self._put_back(pattern, table)
        self._mean += 0.1 * (time.perf_counter() - start - self._mean)
        return verdict

    def _rerun_baseline(self, pattern: Pattern, verdict: Verdict) -> Verdict:
        """Run the baseline in a new sandbox, and return the verdict on a patch whose sandbox failed.

        If the new sandbox works, the patch made the old one fail: the result is ``verdict`` with the new
        baseline as its first phase. If it fails, too, this machine did: the only phase of the result is the
        failed baseline.
        """
        table = self._make(pattern)
        try:
            baseline = next(table.match.phases(""))
        except BaseException:
            self._close(table)
            raise
        if baseline.reason is Reason.SANDBOX_FAILED:
            self._close(table)
            return Verdict((baseline,), verdict.seconds, verdict.sandbox)
        self._put_back(pattern, table)
        # The phase with the failure comes first, because the breaker reads the first phase.
        return Verdict((baseline, *verdict.phases), verdict.seconds, verdict.sandbox)

    def _take(self, pattern: Pattern) -> _Table:
        key = (pattern.id, pattern.content_hash)
        with self._lock:
            tables = self._idle.get(key)
            if tables:
                table = tables.pop()
                if not tables:
                    del self._idle[key]
                return table
        return self._make(pattern)

    def _make(self, pattern: Pattern) -> _Table:
        vulnerability = self._catalogue.open(pattern.id)
        if vulnerability is None or vulnerability.content_hash != pattern.content_hash:
            raise UnknownVulnerability(f"{pattern.id} was changed or removed meanwhile; ask again")
        stack = ExitStack()
        seed = None if self._secret else vulnerability.corpus_seed
        match = stack.enter_context(
            open_match(
                vulnerability,
                choose(self._sandbox),
                self._cache,
                seed,
                self._seconds,
                experience=self._experience,
            )
        )
        with self._lock:
            self._open += 1
        return _Table(stack, match)

    def _put_back(self, pattern: Pattern, table: _Table) -> None:
        surplus: list[_Table] = []
        key = (pattern.id, pattern.content_hash)
        with self._lock:
            self._idle.setdefault(key, []).append(table)
            self._idle.move_to_end(key)
            while self._closed or sum(map(len, self._idle.values())) > self._warm:
                oldest, tables = next(iter(self._idle.items()))
                surplus.append(tables.pop(0))
                if not tables:
                    del self._idle[oldest]
                if not self._idle:
                    break
        for opened in surplus:
            self._close(opened)

    def _close(self, table: _Table) -> None:
        with self._lock:
            self._open -= 1
        table.stack.close()

    def _shut(self) -> None:
        self._closed = True
        self._threads.shutdown(wait=True)
        with self._lock:
            tables = [table for tables in self._idle.values() for table in tables]
            self._idle.clear()
        for table in tables:
            self._close(table)
