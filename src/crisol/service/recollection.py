"""Read the trial store for verdicts that other workers, or earlier processes of the service, wrote to it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from crisol.abtest.store import TrialFilter
from crisol.diff import parse
from crisol.evidence.memory import Judged
from crisol.evidence.similarity import sketch
from crisol.records import Outcome
from crisol.wargaming.referee import REFEREE_VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crisol.abtest.patches import PatchStore
    from crisol.abtest.store import TrialStore
    from crisol.records import Trial

__all__ = ["OVERLAP", "read"]

OVERLAP = dt.timedelta(minutes=2)
"""The time by which a read of the trials overlaps the read before it."""

_MOST = 2_000


def read(
    store: TrialStore, patches: PatchStore | None, experiments: Sequence[str], since: dt.datetime | None
) -> list[tuple[Trial, Judged | None]]:
    """Return trials with a valid or invalid verdict, as pairs (trial, judged patch), the oldest first.

    The last 2,000 trials of each A/B experiment are read from ``store``; ``experiments`` are the names of
    these experiments. A trial is left out if its verdict is inconclusive, if it has no content hash, or if
    its verdict comes from another version of the referee than the present one. ``since`` is the earliest
    time at which a trial was created, with a time zone; None means no bound. The judged patch is the form in
    which a memory stores the trial, None if ``patches`` is None or does not hold the patch's text. Raises
    :class:`~crisol.errors.StoreError` if the store fails.
    """
    trials = [
        trial
        for experiment in experiments
        for trial in store.latest(_MOST, TrialFilter(experiment=experiment, since=since))
    ]
    return [
        (trial, None if patches is None else _judged(trial, patches))
        for trial in sorted(trials, key=lambda trial: (trial.created_at, trial.id))
        if trial.referee == REFEREE_VERSION
        and trial.content_hash
        and trial.outcome is not Outcome.INCONCLUSIVE
    ]


def _judged(trial: Trial, patches: PatchStore) -> Judged | None:
    text = patches.get(trial.patch)
    if text is None:
        return None
    valid, reason = trial.outcome is Outcome.VALID, "" if trial.reason is None else trial.reason.value
    return Judged(trial.patch, sketch(parse(text)), valid, trial.probability, reason)
