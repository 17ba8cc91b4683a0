"""Triage: find the valid patches among many candidates for one vulnerability.

::

    triage = Triage(vulnerability, candidates, Bench(cache, predict=predict), until="first-valid")
    for entry in triage.run():
        print(entry.name, entry.outcome, entry.source)
    triage.ranked()[0]

Candidates that make the same program are treated as one. Facts decide some of them without a wargame. The
others are wargamed, the likeliest to be valid first; every verdict updates this order, see
:mod:`crisol.lab.triage_order`. A recommended candidate was always wargamed, with the strict phases.
"""

from __future__ import annotations

import json
import os
import queue
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Literal, Self

from crisol.diff import Patch
from crisol.errors import DiffError, InputError, PatchDoesNotApply, unwritable
from crisol.evidence.facts import Facts, gather
from crisol.evidence.second_stage import SecondStage
from crisol.lab.triage_order import TriageOrder
from crisol.model.source.fix import Profile, distance, profile
from crisol.records import Candidate, Outcome, Reason, Source, Verdict
from crisol.sandbox import Sandbox, choose
from crisol.wargaming.candidates import reference
from crisol.wargaming.fitting import fitted
from crisol.wargaming.order import Experience
from crisol.wargaming.referee import REFEREE_VERSION, Match, open_match
from crisol.wargaming.vulnerability import Vulnerability

__all__ = ["Bench", "Triage", "TriageEntry", "Until"]

Until = Literal["decided", "first-valid"]
_SAID = 4
_FIX = "the known fix"


@dataclass(frozen=True, slots=True)
class Bench:
    """The resources of a triage: cache folder, sandbox, number of concurrent wargames, and models.

    ``cache`` is the folder for downloads and stored verdicts. ``sandbox`` is the isolation: ``auto`` (the
    strongest that this machine offers), ``bubblewrap``, ``namespaces``, or ``weak``, which does not isolate
    hostile code. ``jobs`` is the number of concurrent wargames; 0 means one for each core. ``predict`` takes
    a patch and its CWE and returns the probability of valid, None for no model. ``second`` is a second stage,
    which predicts from the verdicts of this triage; None for none. ``experience`` orders the scripts of each
    wargame by the results of earlier wargames, so that a wrong patch fails early.
    """

    cache: Path
    sandbox: str = "auto"
    jobs: int = 0
    predict: Callable[[Patch, str], float] | None = None
    second: SecondStage | None = None
    experience: Experience = field(default_factory=Experience)

    @property
    def kept(self) -> Path:
        """The folder below ``cache`` that stores the verdicts of triages for later ones."""
        return self.cache / "triage"


@dataclass(frozen=True, slots=True)
class TriageEntry:
    """One program among the candidates of a triage, with the decision on it.

    - ``name``, ``diff``: those of the first candidate that makes the program. ``repeats``: the names of the
      other candidates that make it.
    - ``outcome``, ``source``: the decision and the rung that made it; None until the program is decided. A
      diff that does not parse or apply has the source ``wargame``, although no wargame ran.
    - ``reason``, ``detail``: why the program is not valid.
    - ``evidence``: the phases that the program passed in its wargame, or the evidence of the fact that
      decided it, or ``an earlier run`` if an earlier triage stored the verdict. It is empty before the
      decision.
    - ``probability``: the probability of valid from the diff alone; None without a model.
    - ``lacks``, ``adds``: the first four changes that only the known fix makes, and the first four that only
      the candidate makes, in words.
    - ``lines``: the number of changed lines.
    - ``seconds``: the duration of the wargame, 0 without one.
    """

    name: str
    diff: str
    outcome: Outcome | None = None
    source: Source | None = None
    reason: Reason | None = None
    detail: str = ""
    evidence: tuple[str, ...] = ()
    probability: float | None = None
    repeats: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    adds: tuple[str, ...] = ()
    lines: int = 0
    seconds: float = 0.0

    @property
    def fits(self) -> bool:
        """Whether the diff parses and applies to the release; otherwise no wargame can judge it."""
        return self.reason not in {Reason.MALFORMED, Reason.DOES_NOT_APPLY}

    @property
    def recommended(self) -> bool:
        """Whether a wargame gave the verdict valid; a program that was not wargamed is never recommended."""
        return self.outcome is Outcome.VALID and self.source is Source.WARGAME


@dataclass(slots=True)
class Triage:
    """A search for the valid patches among many candidates for one vulnerability, with few wargames.

    Candidates that make the same program become one entry, with the name of the first of them. Facts and
    earlier triages decide some entries. The others are wargamed, the likeliest to be valid first, until all
    entries are decided (``until`` is ``decided``) or until one wargame gave the verdict valid
    (``first-valid``). No wargame starts after ``budget`` seconds of wall time, None for no limit; the
    wargames that are running then go on to their end. ``clock`` returns the time in seconds. Raises
    :class:`~crisol.errors.InputError` if two candidates have the same name.

    ``entries`` maps names to entries; it is empty before :meth:`run`. ``wargames`` is the number of wargames
    so far, ``seconds`` the wall time of :meth:`run`, 0 before its end. Conclusive verdicts are kept in
    ``bench.kept``, and read by later triages of the same vulnerability.
    """

    vulnerability: Vulnerability
    candidates: Sequence[Candidate]
    bench: Bench
    until: Until = "decided"
    budget: float | None = None
    clock: Callable[[], float] = time.monotonic
    entries: dict[str, TriageEntry] = field(default_factory=dict)
    wargames: int = 0
    seconds: float = 0.0
    _open: dict[str, str] = field(default_factory=dict)
    _facts: Facts | None = None
    _order: TriageOrder = field(default_factory=TriageOrder)

    def __post_init__(self) -> None:
        names = Counter(candidate.name for candidate in self.candidates)
        if repeated := [name for name, count in names.items() if count > 1]:
            raise InputError(f"{repeated[0]!r} names {names[repeated[0]]} candidates: give each its own name")

    def run(self) -> Iterator[TriageEntry]:
        """Run the triage: yield each entry once at the start, and again after its wargame.

        Raises :class:`~crisol.errors.IndexUnavailable` where a release cannot be downloaded,
        :class:`~crisol.errors.SandboxUnavailable` if this machine does not offer the sandbox, and
        :class:`~crisol.errors.StoreError` where a verdict cannot be stored.
        """
        start = self.clock()
        sandbox = choose(self.bench.sandbox)
        self._prepare(sandbox)
        yield from list(self.entries.values())
        jobs = self.bench.jobs or os.cpu_count() or 1
        with _MatchPool(self.vulnerability, sandbox, self.bench, jobs) as pool:
            running: dict[Future[Verdict], str] = {}
            try:
                while True:
                    while self._goes_on(start) and len(running) < jobs and (name := self._next(running)):
                        running[pool.judge(self.entries[name].diff)] = name
                    if not running:
                        break
                    finished, _ = wait(running, return_when=FIRST_COMPLETED)
                    for future in finished:
                        yield self._recorded(running.pop(future), future.result())
            finally:
                self.seconds = self.clock() - start

    def ranked(self) -> list[TriageEntry]:
        """Return the entries in the order valid, undecided (also after a failed sandbox), invalid, unfit.

        An unfit entry has a diff that does not parse or apply. The valid entries are sorted by the number of
        changed lines, fewest first; the undecided ones by the probability of valid, given the verdicts so
        far, highest first; the invalid ones by the probability of valid from the diff alone, highest first;
        the unfit ones stay in the order of the candidates.
        """

        def key(entry: TriageEntry) -> tuple[int, float]:
            if not entry.fits:
                return 3, 0
            if entry.outcome is Outcome.VALID:
                return 0, entry.lines
            if entry.outcome is Outcome.INVALID:
                return 2, -(entry.probability or 0.0)
            return 1, -self._order.promise(entry.name)

        return sorted(self.entries.values(), key=key)

    @property
    def outcome(self) -> Outcome:
        """The outcome of the triage so far.

        It is valid if a wargame gave one of the entries the verdict valid. It is invalid if at least one diff
        applies, and all entries whose diffs apply are invalid. Otherwise, also before :meth:`run`, it is
        inconclusive.
        """
        entries = [entry for entry in self.entries.values() if entry.fits]
        if any(entry.recommended for entry in entries):
            return Outcome.VALID
        decided = bool(entries) and all(entry.outcome is Outcome.INVALID for entry in entries)
        return Outcome.INVALID if decided else Outcome.INCONCLUSIVE

    def _goes_on(self, start: float) -> bool:
        if self.budget is not None and self.clock() - start >= self.budget:
            return False
        return self.until == "decided" or not any(entry.recommended for entry in self.entries.values())

    def _next(self, running: dict[Future[Verdict], str]) -> str | None:
        waiting = [
            name for name in self._open if self.entries[name].outcome is None and name not in running.values()
        ]
        return max(waiting, key=self._order.promise, default=None)

    def _prepare(self, sandbox: Sandbox) -> None:
        """Make one entry for each different program of the candidates; settle those that need no wargame."""
        vulnerability, cache = self.vulnerability, self.bench.cache
        facts = self._facts = gather(vulnerability, sandbox, cache)
        tree = vulnerability.vulnerable(cache)
        fix, self._order = None, TriageOrder(self.bench.second)
        if (known_fix := reference(vulnerability, cache)) is not None:
            fit = fitted(known_fix.diff, tree)
            fix = profile(fit.files, self._sources(fit.files))
            self._order.add(_FIX, fit.patch, self._predicted(fit.patch))
            self._order.learn(_FIX, valid=True)
        earlier = self._earlier()
        first: dict[str, str] = {}
        for candidate in self.candidates:
            entry = TriageEntry(candidate.name, candidate.diff)
            try:
                fit = fitted(candidate.diff, tree)
            except (DiffError, PatchDoesNotApply) as error:
                reason = Reason.MALFORMED if isinstance(error, DiffError) else Reason.DOES_NOT_APPLY
                self._settle(
                    replace(
                        entry,
                        outcome=reason.outcome,
                        source=Source.WARGAME,
                        reason=reason,
                        detail=str(error),
                    )
                )
                continue
            identity = facts.tree.identity(fit.files)
            if identity in first:
                original = self.entries[first[identity]]
                self._settle(replace(original, repeats=(*original.repeats, candidate.name)))
                continue
            first[identity] = candidate.name
            parts = profile(fit.files, self._sources(fit.files))
            entry = self._described(entry, fit.patch, parts, fix)
            self._order.add(entry.name, fit.patch, entry.probability)
            self._open[candidate.name] = identity
            fact = facts.settled(fit.files)
            if fact is not None:
                entry = replace(
                    entry, outcome=fact.outcome, source=fact.source, reason=fact.reason, detail=fact.detail,
                    evidence=fact.evidence,
                )  # fmt: skip
            elif identity in earlier:
                verdict = earlier[identity]
                entry = replace(
                    entry, outcome=verdict.outcome, source=Source.WARGAME, reason=verdict.reason,
                    detail=verdict.detail,
                    evidence=("an earlier run",), seconds=verdict.seconds,
                )  # fmt: skip
            self._settle(entry)

    def _described(
        self, entry: TriageEntry, patch: Patch, parts: Profile, fix: Profile | None
    ) -> TriageEntry:
        between = None if fix is None else distance(parts, fix)
        return replace(
            entry,
            lines=len(patch.added) + len(patch.removed),
            probability=self._predicted(patch),
            lacks=() if between is None else tuple(map(str, between.lacks[:_SAID])),
            adds=() if between is None else tuple(map(str, between.adds[:_SAID])),
        )

    def _predicted(self, patch: Patch) -> float | None:
        return None if self.bench.predict is None else self.bench.predict(patch, self.vulnerability.cwe)

    def _sources(self, files: dict[str, str | None]) -> dict[str, str]:
        assert self._facts is not None
        tree = self._facts.tree
        return {path: text for path in files if (text := tree.read(path)) is not None}

    def _settle(self, entry: TriageEntry) -> None:
        self.entries[entry.name] = entry
        if entry.name in self._open and entry.outcome in {Outcome.VALID, Outcome.INVALID}:
            self._order.learn(entry.name, valid=entry.outcome is Outcome.VALID, reason=entry.reason)

    def _recorded(self, name: str, verdict: Verdict) -> TriageEntry:
        self.wargames += 1
        failed = next((phase for phase in verdict.phases if phase.reason is verdict.reason), None)
        detail = failed.detail if failed is not None and verdict.reason is not None else ""
        passed = tuple(str(phase.name) for phase in verdict.phases if phase.reason is None)
        entry = replace(
            self.entries[name], outcome=verdict.outcome, source=Source.WARGAME, reason=verdict.reason,
            detail=detail,
            evidence=passed, seconds=verdict.seconds,
        )  # fmt: skip
        self._settle(entry)
        if verdict.outcome is not Outcome.INCONCLUSIVE:
            self._keep(self._open[name], entry)
        return entry

    @property
    def _path(self) -> Path:
        key = sha256(f"{REFEREE_VERSION}\0{self.vulnerability.content_hash}".encode()).hexdigest()[:16]
        return self.bench.kept / f"{self.vulnerability.id}-{key}.jsonl"

    def _earlier(self) -> dict[str, TriageEntry]:
        verdicts: dict[str, TriageEntry] = {}
        for line in self._path.read_text(encoding="utf-8").splitlines() if self._path.is_file() else ():
            try:
                row = json.loads(line)
                verdicts[row["program"]] = TriageEntry(
                    str(row["name"]), "", Outcome(row["outcome"]), Source.WARGAME,
                    Reason(row["reason"]) if row["reason"] else None, str(row["detail"]),
                    seconds=float(row["seconds"]),
                )  # fmt: skip
            except (ValueError, KeyError, TypeError):
                # Such as the last line of a triage that was killed.
                continue
        return verdicts

    def _keep(self, identity: str, entry: TriageEntry) -> None:
        row = {
            "program": identity, "name": entry.name, "outcome": entry.outcome, "reason": entry.reason,
            "detail": entry.detail, "seconds": entry.seconds,
        }  # fmt: skip
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
        except OSError as error:
            raise unwritable(self._path.parent, error) from None


class _MatchPool:
    def __init__(self, vulnerability: Vulnerability, sandbox: Sandbox, bench: Bench, jobs: int) -> None:
        self._open = partial(open_match, vulnerability, sandbox, bench.cache, experience=bench.experience)
        self._threads = ThreadPoolExecutor(jobs, thread_name_prefix="triage")
        self._idle: queue.SimpleQueue[Match] = queue.SimpleQueue()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._stack.close()

    def judge(self, text: str) -> Future[Verdict]:
        return self._threads.submit(self._judge, text)

    def _judge(self, text: str) -> Verdict:
        try:
            match = self._idle.get_nowait()
        except queue.Empty:
            match = self._stack.enter_context(self._open())
        verdict = match.judge(text)
        self._idle.put(match)
        return verdict
