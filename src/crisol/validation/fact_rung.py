"""The rung of the facts: it decides a patch if the decision is certain without a model or a wargame."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from crisol.errors import CrisolError, UnavailableError
from crisol.evidence.aside import Ground, examine
from crisol.evidence.facts import JudgedPrograms
from crisol.evidence.trace import trace, ways_file
from crisol.records import Decision, Outcome, Source
from crisol.sandbox import choose
from crisol.sandbox.bounded import OutOfBounds
from crisol.validation.by_content import ByContent

if TYPE_CHECKING:
    from pathlib import Path

    from crisol.evidence.aside import Examined
    from crisol.evidence.facts import Fact
    from crisol.records import Reason, Verdict
    from crisol.resilience.clock import Clock
    from crisol.validation.catalogue import Catalogue, Pattern
    from crisol.validation.ladder import Case, Submission

__all__ = ["FactRung"]

_VULNERABILITIES = 256
_EXAMINED = 2_000
_CHARACTERS = 300_000
"""The most characters in the files that a patch changes; a patch of larger files is decided without facts."""

_RETRY_SECONDS = 60.0
_log = logging.getLogger(__name__)


class FactRung:
    """The rung that decides a patch by a fact: without a model, and without running anything of the patch.

    It decides three kinds of patches: a patch that leaves the vulnerable program as it was, a patch whose
    patched program already has a verdict, and a patch that changes nothing that a PoV executes. For the third
    kind, the PoVs of each vulnerability are traced once, in the background. Before the trace has ended, the
    rung leaves patches of this kind to the later rungs. A failed trace is tried again after a minute.

    ``catalogue`` finds vulnerabilities; ``cache`` is the folder of downloaded releases. ``sandbox`` is the
    kind of sandbox for traces: ``auto``, ``bubblewrap``, ``namespaces`` or ``weak``, as in
    :func:`crisol.sandbox.choose`. At most ``workers`` processes parse patched files at a time. ``clock``
    returns seconds. Use it in one event loop.
    """

    stamp = "facts-1"

    def __init__(
        self,
        catalogue: Catalogue,
        cache: Path,
        *,
        sandbox: str = "auto",
        workers: int = 2,
        clock: Clock = time.monotonic,
    ) -> None:
        self._catalogue = catalogue
        self._cache = cache
        self._sandbox = sandbox
        self._clock = clock
        self._programs: ByContent[JudgedPrograms] = ByContent(JudgedPrograms, _VULNERABILITIES)
        self._grounds: OrderedDict[tuple[str, str], Ground] = OrderedDict()
        self._retry: dict[tuple[str, str], float] = {}
        self._tracing: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._examined: OrderedDict[tuple[str, str, str], tuple[Ground, Examined]] = OrderedDict()
        self._workers = asyncio.Semaphore(workers)
        self._tracer = asyncio.Semaphore(1)

    async def __call__(self, case: Case) -> Decision | None:
        """Return the decision if a fact decides the patch, otherwise None.

        The result is None, too, if the vulnerability is not registered.
        """
        if case.pattern is None:
            return None
        self._start_trace(case.pattern)
        examined = await self._examine(case.submission, case.pattern)
        if examined is None:
            return None
        fact = examined.fact or self._programs.of(case.pattern.id, case.pattern.content_hash).fact(
            examined.program
        )
        return None if fact is None else _decision(fact)

    async def learn(self, submission: Submission, pattern: Pattern, verdict: Verdict) -> None:
        """Store the verdict of a wargame; it then decides every patch that makes the same program.

        ``submission`` is the patch that was wargamed; ``pattern`` is its vulnerability. Nothing is stored if
        the verdict is inconclusive, if its reason is ``timeout``, or if the patched files could not be
        examined.
        """
        examined = await self._examine(submission, pattern)
        if examined is not None:
            patch = submission.patch.identity
            self.add(
                (pattern.id, pattern.content_hash), examined.program, patch, verdict.outcome, verdict.reason
            )

    def add(
        self, content: tuple[str, str], program: str, patch: str, outcome: Outcome, reason: Reason | None
    ) -> None:
        """Store the verdict on a program: its ``outcome`` and its ``reason`` (None if it is valid).

        ``content`` is (vulnerability id, content hash); ``program`` is the identity of the program, and
        ``patch`` the identity of the patch that made it. A verdict that is inconclusive, or whose reason is
        ``timeout``, is not stored.
        """
        self._programs.of(*content).add(program, patch, outcome, reason)

    def program(self, submission: Submission, pattern: Pattern) -> str:
        """Return the identity of the program that a patch makes; "" if the patch was not examined recently.

        ``submission`` is the patch; ``pattern`` is its vulnerability. Nothing is computed.
        """
        kept = self._examined.get(_key(submission, pattern))
        return "" if kept is None else kept[1].program

    async def close(self) -> None:
        """Cancel the traces in the background; a run that has begun may go on until its time limit."""
        for task in self._tracing.values():
            task.cancel()
        await asyncio.gather(*self._tracing.values(), return_exceptions=True)

    async def _examine(self, submission: Submission, pattern: Pattern) -> Examined | None:
        """Return the facts and the program of a patch; None if they are unknown.

        They are unknown if the release is not downloaded yet, if the submission has no patched files or too
        large ones, or if the process that finds the facts exceeds its limits.
        """
        ground = self._grounds.get((pattern.id, pattern.content_hash))
        if ground is None or not submission.files:
            return None
        key = _key(submission, pattern)
        kept = self._examined.get(key)
        # A fact may be missing that a trace, which has ended since, gives.
        if kept is not None and kept[0] == ground:
            return kept[1]
        if sum(len(text or "") for text in submission.files.values()) > _CHARACTERS:
            return None
        try:
            async with self._workers:
                examined = await asyncio.to_thread(examine, ground, submission.files)
        except OutOfBounds as refused:
            _log.warning("no facts about a patch for %s: %s", pattern.id, refused)
            return None
        self._examined[key] = ground, examined
        if len(self._examined) > _EXAMINED:
            self._examined.popitem(last=False)
        return examined

    def _start_trace(self, pattern: Pattern) -> None:
        key = pattern.id, pattern.content_hash
        ground = self._grounds.get(key)
        if (ground is not None and ground.ways) or key in self._tracing:
            return
        if self._clock() >= self._retry.get(key, 0.0):
            task = asyncio.create_task(self._trace(pattern), name=f"trace {pattern.id}")
            self._tracing[key] = task
            task.add_done_callback(lambda _: self._tracing.pop(key, None))

    async def _trace(self, pattern: Pattern) -> None:
        key = pattern.id, pattern.content_hash
        async with self._tracer:
            try:
                vulnerability = await asyncio.to_thread(self._catalogue.open, pattern.id)
                if vulnerability is None or vulnerability.content_hash != pattern.content_hash:
                    self._retry[key] = self._clock() + _RETRY_SECONDS
                    return
                folder = await asyncio.to_thread(vulnerability.vulnerable, self._cache)
                self._keep(key, Ground(str(folder)))
                await asyncio.to_thread(lambda: trace(vulnerability, choose(self._sandbox), self._cache))
            except (CrisolError, OSError) as error:
                self._retry[key] = self._clock() + _RETRY_SECONDS
                level = logging.WARNING if isinstance(error, UnavailableError) else logging.ERROR
                _log.log(level, "the exploits of %s are not traced: %s", pattern.id, error)
                return
            self._retry.pop(key, None)
            self._keep(key, Ground(str(folder), str(ways_file(vulnerability, self._cache))))

    def _keep(self, key: tuple[str, str], ground: Ground) -> None:
        self._grounds[key] = ground
        if len(self._grounds) > _VULNERABILITIES:
            self._grounds.popitem(last=False)


def _key(submission: Submission, pattern: Pattern) -> tuple[str, str, str]:
    return pattern.id, pattern.content_hash, submission.patch.identity


def _decision(fact: Fact) -> Decision:
    if fact.source is Source.UNTOUCHED:
        pov, *functions = fact.evidence
        evidence = f"{pov} executes nothing that the patch changes; on its way: {', '.join(functions)}"
    else:
        evidence = fact.detail
    return Decision(fact.outcome, fact.source, 1.0, reason=fact.reason, detail=fact.detail, evidence=evidence)
