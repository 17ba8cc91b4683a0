"""Facts about a patch, which are certain before any wargame.

In this example the patch changes nothing that the PoV executes or reads. The evidence is the name of the PoV,
then functions that it executes.

>>> facts = gather(vulnerability, sandbox, cache)  # doctest: +SKIP
>>> fact = facts.settled(diff.apply(diff.parse(text), facts.tree.read))  # doctest: +SKIP
>>> fact.outcome, fact.source  # doctest: +SKIP
(<Outcome.INVALID: 'invalid'>, <Source.UNTOUCHED: 'untouched'>)
>>> fact.evidence  # doctest: +SKIP
('pov/1-public.py', 'mistune.py:parse', …)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from crisol import diff
from crisol.errors import PatchDoesNotApply, SandboxError
from crisol.evidence.reach import sees_itself, touched
from crisol.evidence.trace import Way, trace
from crisol.records import Outcome, Reason, Source
from crisol.wargaming.program import VULNERABLE, ProgramTree, open_tree

if TYPE_CHECKING:
    from crisol.diff import Patch
    from crisol.sandbox import Sandbox
    from crisol.wargaming.vulnerability import Vulnerability

__all__ = ["Fact", "Facts", "JudgedPrograms", "gather", "lay_out"]

_SHOWN = 12
_PROGRAMS = 1_000


@dataclass(frozen=True, slots=True)
class Fact:
    """An outcome that is certain without a wargame, and the evidence for it.

    ``source`` is ``equivalent`` if the patch makes a program that was already judged, and ``untouched`` if a
    PoV executes nothing that the patch changes. ``reason`` says why the outcome is invalid, None for valid.
    ``detail`` is a sentence on why the outcome is certain. For ``equivalent``, ``evidence`` holds the name of
    the judged patch, or ``vulnerable`` for the unpatched program. For ``untouched`` it holds the name of the
    PoV, then functions that this PoV executes, at most twelve.
    """

    outcome: Outcome
    source: Source
    reason: Reason | None
    detail: str
    evidence: tuple[str, ...]


class JudgedPrograms:
    """The verdicts on patched programs of one vulnerability.

    It stores verdicts on at most ``most`` programs, by default 1,000; a further program replaces the oldest.
    A program with both a valid and an invalid verdict gives no fact. Inconclusive verdicts, and invalid ones
    with the reason ``timeout``, are not stored, because another wargame could give another verdict. Threads
    may share the object.
    """

    def __init__(self, most: int = _PROGRAMS) -> None:
        self._most = most
        self._lock = Lock()
        self._of: dict[str, tuple[str, Outcome, Reason | None]] = {}

    def add(self, program: str, name: str, outcome: Outcome, reason: Reason | None) -> None:
        """Store the verdict on a program, unless it is inconclusive or its reason is ``timeout``.

        ``program`` is the program's identity, ``name`` the name of the patch that makes it. ``reason`` is
        None for a valid patch. A second verdict on a program changes nothing if its outcome is that of the
        first. If the outcomes differ, :meth:`fact` returns None for the program from then on.
        """
        if outcome is Outcome.INCONCLUSIVE or reason is Reason.TIMEOUT:
            return
        with self._lock:
            earlier = self._of.get(program)
            if earlier is None and len(self._of) >= self._most:
                del self._of[next(iter(self._of))]
            if earlier is None:
                self._of[program] = name, outcome, reason
            elif earlier[1] is not outcome:
                self._of[program] = name, Outcome.INCONCLUSIVE, None

    def fact(self, program: str) -> Fact | None:
        """Return the stored verdict on a program as a fact; ``program`` is the program's identity.

        The result is None where no verdict is stored, and where the stored verdicts contradict each other.
        """
        name, outcome, reason = self._of.get(program, ("", Outcome.INCONCLUSIVE, None))
        if outcome is Outcome.INCONCLUSIVE:
            return None
        return Fact(outcome, Source.EQUIVALENT, reason, f"the program is the same as that of {name}", (name,))


@dataclass(slots=True)
class Facts:
    """The traces and verdicts that yield the facts about patches of one vulnerability; see :func:`gather`.

    ``tree`` is the vulnerable program. ``ways`` are the traces of its PoVs, without those that failed.
    ``public`` is the name of the public PoV, "" where no PoV was traced. ``judged`` holds the verdicts on
    programs.
    """

    tree: ProgramTree
    ways: tuple[Way, ...]
    public: str = ""
    judged: JudgedPrograms = field(default_factory=JudgedPrograms)

    def settled(self, after: Mapping[str, str | None]) -> Fact | None:
        """Return the fact that decides a patch; None if no fact decides it.

        ``after`` maps the path of each file that the patch touches, relative to the program's root, to the
        patched text, None for a deleted file. Two kinds of facts are tried: first those of :meth:`examine`,
        then the earlier verdicts in ``judged``.
        """
        program, fact = self.examine(after)
        return fact or self.judged.fact(program)

    def examine(self, after: Mapping[str, str | None]) -> tuple[str, Fact | None]:
        """Return (identity of the program that a patch makes, fact that needs no earlier verdict).

        ``after`` maps the path of each file that the patch touches, relative to the program's root, to the
        patched text, None for a deleted file. The fact is None where only an earlier verdict or a wargame can
        decide.
        """
        program = self.tree.identity(after)
        if program == VULNERABLE:
            return program, Fact(
                Outcome.INVALID,
                Source.EQUIVALENT,
                Reason.EXPLOIT_SURVIVES,
                "the program is the vulnerable one: only comments, layout or documentation change",
                ("vulnerable",),
            )
        for way in self.ways:
            if touched(self.tree, after, way) is None:
                reason = Reason.EXPLOIT_SURVIVES if way.pov == self.public else Reason.VARIANT_SURVIVES
                return program, Fact(
                    Outcome.INVALID,
                    Source.UNTOUCHED,
                    reason,
                    f"{way.pov} executes nothing that the patch changes",
                    (way.pov, *way.functions[:_SHOWN]),
                )
        return program, None

    def learn(self, patch: Patch, name: str, outcome: Outcome, reason: Reason | None) -> None:
        """Store a wargame's verdict on a patch, so that it decides later patches that make the same program.

        ``name`` is the patch's name, which later facts give as evidence. ``reason`` is None for a valid
        patch. Nothing is stored if the patch does not apply, the verdict is inconclusive, or its reason is
        ``timeout``.
        """
        try:
            program = self.tree.identity(diff.apply(patch, self.tree.read))
        except PatchDoesNotApply:
            return
        self.judged.add(program, name, outcome, reason)


def gather(vulnerability: Vulnerability, sandbox: Sandbox, cache: Path) -> Facts:
    """Return the :class:`Facts` of a vulnerability, with the traces of its PoVs and without verdicts.

    The traces of the PoVs are read from the cache folder ``cache``, which also keeps the release and is
    created if it is missing. Where traces are missing, the PoVs run in the sandbox. If the sandbox fails,
    there are no traces, and only equal programs are recognised. Raises
    :class:`~crisol.errors.IndexUnavailable` where a release cannot be downloaded.
    """
    folder = vulnerability.vulnerable(cache)
    try:
        ways = trace(vulnerability, sandbox, cache)
    except SandboxError:
        ways = ()
    return lay_out(folder, ways)


def lay_out(folder: Path, ways: tuple[Way, ...]) -> Facts:
    """Return the :class:`Facts` of the vulnerable release in ``folder``, without verdicts.

    ``ways`` are the traces of its PoVs, that of the public PoV first. A trace is left out if it failed, or if
    the code in it may read its own source text or line numbers, since even a changed comment may matter then
    (:func:`~crisol.evidence.reach.sees_itself`).
    """
    tree = open_tree(folder)
    followed = tuple(way for way in ways if not way.lost and not sees_itself(tree, way))
    return Facts(tree, followed, ways[0].pov if ways else "")
