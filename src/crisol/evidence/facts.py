"""What is certain of a patch before it is wargamed: no model, and no error.

>>> facts = gather(vulnerability, choose(), cache)  # doctest: +SKIP
>>> fact = facts.settle(diff.parse(text))  # doctest: +SKIP
>>> fact.outcome, fact.source, fact.evidence  # doctest: +SKIP
(<Outcome.INVALID: 'invalid'>, <Source.UNTOUCHED: 'untouched'>, ('pov/1-public.py', 'mistune.py:Markdown.parse', …))
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

__all__ = ["Fact", "Facts", "gather"]

_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Fact:
    """A certain answer, and what makes it so.

    ``evidence`` is, for an equivalent patch, the name of the one that it repeats (``vulnerable`` for no patch at all);
    for an untouched way, the PoV and the functions on it that the patch leaves alone.
    """

    outcome: Outcome
    source: Source
    reason: Reason | None
    detail: str
    evidence: tuple[str, ...]


@dataclass(slots=True)
class Facts:
    """The facts about one vulnerability; grows by every verdict that it is told.

    Get it from :func:`gather`. Changing one from two threads at a time is safe: a verdict is one assignment.
    """

    tree: ProgramTree
    ways: tuple[Way, ...]
    judged: dict[str, tuple[str, Outcome, Reason | None]] = field(default_factory=dict)
    """By the identity of the program: the patch that was wargamed, and what came of it."""

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
        identity = self.tree.identity(after)
        if identity == VULNERABLE:
            return Fact(
                Outcome.INVALID,
                Source.EQUIVALENT,
                Reason.EXPLOIT_SURVIVES,
                "the program is the vulnerable one: only comments, layout or documentation change",
                ("vulnerable",),
            )
        if identity in self.judged:
            name, outcome, reason = self.judged[identity]
            return Fact(
                outcome, Source.EQUIVALENT, reason, f"the program is the same as that of {name}", (name,)
            )
        for number, way in enumerate(self.ways):
            if touched(self.tree, after, way) is None:
                reason = Reason.VARIANT_SURVIVES if number else Reason.EXPLOIT_SURVIVES
                return Fact(
                    Outcome.INVALID,
                    Source.UNTOUCHED,
                    reason,
                    f"{way.pov} executes nothing that the patch changes",
                    (way.pov, *way.functions[:_SHOWN]),
                )
        return None

    def learn(self, patch: Patch, name: str, outcome: Outcome, reason: Reason | None) -> None:
        """Remember the verdict of a wargame; one that is inconclusive, or of a patch that does not apply, says nothing."""
        if outcome is Outcome.INCONCLUSIVE:
            return
        try:
            identity = self.tree.identity(diff.apply(patch, self.tree.read))
        except PatchDoesNotApply:
            return
        self.judged.setdefault(identity, (name, outcome, reason))


def gather(vulnerability: Vulnerability, sandbox: Sandbox, cache: Path) -> Facts:
    """Return what is known of a vulnerability: its tree, and the ways of its exploits, traced where that was not done yet.

    Where the sandbox fails, the ways are missing and settle nothing. Raises
    :class:`~crisol.errors.IndexUnavailable` where a release cannot be had.
    """
    tree = open_tree(vulnerability.vulnerable(cache))
    try:
        ways = trace(vulnerability, sandbox, cache)
    except SandboxError:
        ways = ()
    return Facts(tree, tuple(way for way in ways if not way.lost and not sees_itself(tree, way)))
