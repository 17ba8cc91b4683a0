"""What is certain of a patch before it is wargamed: no model, and no error.

>>> facts = gather(vulnerability, choose(), cache)  # doctest: +SKIP
>>> fact = facts.settle(diff.parse(text))  # doctest: +SKIP
>>> fact.outcome, fact.source  # doctest: +SKIP
(<Outcome.INVALID: 'invalid'>, <Source.UNTOUCHED: 'untouched'>)
>>> fact.evidence  # doctest: +SKIP
('pov/1-public.py', 'mistune.py:Markdown.parse', …)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
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
    """A certain answer, and what makes it so.

    ``evidence`` is, for an equivalent patch, the name of the one that it repeats (``vulnerable`` for no patch
    at all); for an untouched way, the PoV and the functions on it that the patch leaves alone.
    """

    outcome: Outcome
    source: Source
    reason: Reason | None
    detail: str
    evidence: tuple[str, ...]


class JudgedPrograms:
    """The verdicts known of the programs that patches made of one vulnerability, the last ``most`` of them.

    Verdicts on one program that contradict each other settle nothing, and neither does a timeout, which may
    be the machine's doing. Telling one from two threads at a time is safe: a verdict is one assignment.
    """

    def __init__(self, most: int = _PROGRAMS) -> None:
        self._most = most
        self._of: dict[str, tuple[str, Outcome, Reason | None]] = {}

    def add(self, program: str, name: str, outcome: Outcome, reason: Reason | None) -> None:
        """Remember what the wargame of the patch ``name`` said of a program.

        An inconclusive one says nothing.
        """
        if outcome is Outcome.INCONCLUSIVE or reason is Reason.TIMEOUT:
            return
        earlier = self._of.get(program)
        if earlier is None and len(self._of) >= self._most:
            self._of.pop(next(iter(self._of)), None)
        if earlier is None:
            self._of[program] = name, outcome, reason
        elif earlier[1] is not outcome:
            self._of[program] = name, Outcome.INCONCLUSIVE, None

    def fact(self, program: str) -> Fact | None:
        """Return the fact that a program was judged, None where it was not, or not clearly."""
        name, outcome, reason = self._of.get(program, ("", Outcome.INCONCLUSIVE, None))
        if outcome is Outcome.INCONCLUSIVE:
            return None
        return Fact(outcome, Source.EQUIVALENT, reason, f"the program is the same as that of {name}", (name,))


@dataclass(slots=True)
class Facts:
    """The facts about one vulnerability.

    Grows by every verdict that it is told. Get it from :func:`gather`.
    """

    tree: ProgramTree
    ways: tuple[Way, ...]
    public: str = ""
    """The name of the public PoV, whose way may be lost."""
    judged: JudgedPrograms = field(default_factory=JudgedPrograms)

    def settle(self, patch: Patch) -> Fact | None:
        """Return what is certain of a patch, None where nothing is."""
        try:
            return self.settled(diff.apply(patch, self.tree.read))
        except PatchDoesNotApply as error:
            return Fact(
                Outcome.INVALID, Source.EQUIVALENT, Reason.DOES_NOT_APPLY, str(error), ("vulnerable",)
            )

    def settled(self, after: Mapping[str, str | None]) -> Fact | None:
        """Return what is certain of the files that a patch makes, None where nothing is."""
        program, fact = self.examine(after)
        return fact or self.judged.fact(program)

    def examine(self, after: Mapping[str, str | None]) -> tuple[str, Fact | None]:
        """Return the identity of the patched program, and a fact that needs no verdict, or None."""
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
        """Remember the verdict of a wargame; that of a patch that does not apply says nothing."""
        try:
            program = self.tree.identity(diff.apply(patch, self.tree.read))
        except PatchDoesNotApply:
            return
        self.judged.add(program, name, outcome, reason)


def gather(vulnerability: Vulnerability, sandbox: Sandbox, cache: Path) -> Facts:
    """Return the facts of a vulnerability: its tree, and the ways of its exploits, traced if need be.

    Where the sandbox fails, the ways are missing and settle nothing. Raises
    :class:`~crisol.errors.IndexUnavailable` where a release cannot be had.
    """
    folder = vulnerability.vulnerable(cache)
    try:
        ways = trace(vulnerability, sandbox, cache)
    except SandboxError:
        ways = ()
    return lay_out(folder, ways)


def lay_out(folder: Path, ways: tuple[Way, ...]) -> Facts:
    """Return the facts of a release's folder and the ways through it; one that was lost settles nothing."""
    tree = open_tree(folder)
    followed = tuple(way for way in ways if not way.lost and not sees_itself(tree, way))
    return Facts(tree, followed, ways[0].pov if ways else "")
