"""The expectations of a chaos test, such as ``redis_killed: failed <= 0``; ``*`` means every fault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from crisol.chaos.faults import FAULTS
from crisol.errors import ExperimentError
from crisol.loadtest.targets import Checked, LoadTarget, check, parse

__all__ = ["ALWAYS", "expected", "hold"]

ALWAYS = ("*: trials_lost <= 0", "*: wrong_answers <= 0")
"""The expectations of every fault: no trial is lost and no answer is wrong."""


def expected(texts: Sequence[str], fault: str) -> list[LoadTarget]:
    """Return the load targets for the fault with the name ``fault``.

    ``texts`` are expectations, lines such as ``redis_killed: failed <= 0``: a fault, a figure, ``<``, ``<=``,
    ``>``, ``>=`` or ``==``, and a number. A line with ``*`` for the fault applies to every fault; lines for
    other faults are skipped. The targets have the order of ``texts``. The figure's name is not checked.
    Raises :class:`~crisol.errors.ExperimentError` for a malformed line, or a line for an unknown fault.
    """
    targets = []
    for text in texts:
        name, colon, target = text.partition(":")
        if not colon or name.strip() not in {*FAULTS, "*"}:
            raise ExperimentError(f"expectation {text!r}: write it as 'fault: measure < number', or '*: …'")
        if name.strip() in {fault, "*"}:
            targets.append(parse(target))
    return targets


def hold(texts: Sequence[str], fault: str, metrics: Mapping[str, float]) -> list[Checked]:
    """Compare the figures of ``fault`` (its name) with its load targets; return a result for each target.

    ``texts`` are expectations, lines such as ``redis_killed: failed <= 0``; those of :data:`ALWAYS` are
    added. ``metrics`` are the figures by name. A figure that is NaN misses its load target. A missed target
    raises nothing; its result says so. Raises :class:`~crisol.errors.ExperimentError` for a malformed line,
    an unknown fault, or a figure that ``metrics`` lacks.
    """
    return [replace(checked, of=fault) for checked in check(expected([*ALWAYS, *texts], fault), metrics)]
