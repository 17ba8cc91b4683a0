"""What each fault may cost at most, written as ``fault: measure < number``; ``*`` means every fault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from crisol.chaos.faults import FAULTS
from crisol.errors import ExperimentError
from crisol.loadtest.targets import Checked, LoadTarget, check, parse

__all__ = ["ALWAYS", "expected", "hold"]

ALWAYS = ("*: trials_lost <= 0", "*: wrong_answers <= 0")
"""Whatever breaks, no trial is lost and no answer is wrong."""


def expected(texts: Sequence[str], fault: str) -> list[LoadTarget]:
    """Return the load targets that apply to ``fault``, a fault's name.

    ``texts`` are expectations: lines such as ``redis_killed: failed <= 0``. A line for ``*`` applies to every
    fault; lines for other faults are skipped. Raises :class:`~crisol.errors.ExperimentError` for a line that
    names an unknown fault, and for a malformed line.
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
    """Compare the figures of ``fault`` with its load targets in ``texts`` and in :data:`ALWAYS`.

    ``metrics`` are the figures by name, see :attr:`~crisol.chaos.episode.Episode.metrics`. Returns one result
    for each load target. A missed load target raises no error. Raises :class:`~crisol.errors.ExperimentError`
    for a measure that ``metrics`` lacks, and like :func:`expected`.
    """
    return [replace(checked, of=fault) for checked in check(expected([*ALWAYS, *texts], fault), metrics)]
