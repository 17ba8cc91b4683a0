"""Detect from sampled trials which rungs make too many errors when they decide without a wargame.

>>> [(watched.arm, watched.name) for watched in watch_rungs(trials) if watched.raised_at]  # doctest: +SKIP
[('memory', 'false accepts')]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from crisol.abtest.drift import worsening
from crisol.abtest.watch import RUN_LENGTH, Watched
from crisol.records import Outcome, Source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crisol.records import Trial

__all__ = ["PROMISED", "Promise", "watch_rungs"]


@dataclass(frozen=True, slots=True)
class Promise:
    """The largest error rates that a rung may have, as shares in (0, 1).

    ``false_accepts`` is the share of invalid patches among the patches that the rung accepted.
    ``false_refusals`` is the share of valid patches among the patches that it refused.
    """

    false_accepts: float
    false_refusals: float


_NONE = Promise(0.0002, 0.0002)
"""The promise of the facts, which are never wrong: so low a rate that the first error raises the alarm."""

_CERTIFIED = Promise(0.02, 0.10)
"""The levels at which thresholds are certified, see :func:`crisol.model.risk.certify`."""

PROMISED = {
    Source.EQUIVALENT: _NONE,
    Source.UNTOUCHED: _NONE,
    Source.MEMORY: _CERTIFIED,
    Source.MODEL: _CERTIFIED,
}
"""The promise of each rung that decides without a wargame."""


def watch_rungs(trials: Sequence[Trial]) -> tuple[Watched, ...]:
    """Detect for each rung whether it makes more errors than it promises in :data:`PROMISED`.

    :data:`PROMISED` maps the rungs ``equivalent``, ``untouched``, ``memory`` and ``model`` to promises;
    trials of other rungs are left out. ``trials`` are in the order of time; inconclusive ones are left out.
    Returns a result for each rung and kind of error, in the order of :data:`PROMISED`. There is no result for
    the false accepts of a rung that accepted no patch, and none for the false refusals of a rung that refused
    no patch. In a result ``arm`` is the name of the rung, ``name`` is ``false accepts`` or ``false
    refusals``, ``alarm`` says whether and when the error rate exceeded the promise, and ``baseline`` is 0,
    because no trials serve as reference. While a rung keeps its promise, false alarms are at least 1,000 of
    its trials apart on average.
    """
    watched = []
    for rung, promise in PROMISED.items():
        for name, decided, level in (
            ("false accepts", Outcome.VALID, promise.false_accepts),
            ("false refusals", Outcome.INVALID, promise.false_refusals),
        ):
            answered = [
                trial
                for trial in trials
                if trial.rung == rung and trial.decided is decided and trial.correct is not None
            ]
            if not answered:
                continue
            alarm = worsening(
                [float(trial.outcome is not decided) for trial in answered],
                level,
                [1.0 / trial.sampling_probability for trial in answered],
                run_length=RUN_LENGTH,
            )
            patch = None if alarm.raised_at is None else answered[alarm.raised_at].patch
            watched.append(Watched(rung.value, name, 0, alarm, patch))
    return tuple(watched)
