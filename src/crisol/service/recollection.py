"""What the trials' store still knows: the verdicts of earlier runs and of other workers, as the memory reads them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crisol.abtest.store import TrialFilter
from crisol.diff import parse
from crisol.evidence.memory import Judged
from crisol.evidence.similarity import sketch
from crisol.records import Outcome
from crisol.wargaming.referee import REFEREE_VERSION

if TYPE_CHECKING:
    from crisol.abtest.patches import PatchStore
    from crisol.abtest.store import TrialStore
    from crisol.records import Trial

__all__ = ["OVERLAP", "Recollected", "read"]

OVERLAP = dt.timedelta(minutes=2)
"""How far a reading goes back behind the last one."""

_MOST = 2_000


@dataclass(frozen=True, slots=True)
class Recollected:
    """A judged patch, and the vulnerability and content that it was judged against."""

    vulnerability: str
    content_hash: str
    judged: Judged


def read(
    store: TrialStore, patches: PatchStore, experiment: str, since: dt.datetime | None
) -> list[Recollected]:
    """Return the last 2,000 verdicts whose patches were kept, the earliest first; from ``since`` on, if that is given.

    Those of another referee, or that do not say against what content they were reached, are left out. Raises
    what :meth:`~crisol.abtest.store.TrialStore.latest` raises.
    """
    trials = store.latest(_MOST, TrialFilter(experiment=experiment, since=since))
    recollected = (_recollected(trial, patches) for trial in reversed(trials))
    return [verdict for verdict in recollected if verdict is not None]


def _recollected(trial: Trial, patches: PatchStore) -> Recollected | None:
    if trial.referee != REFEREE_VERSION or not trial.content_hash:
        return None
    text = None if trial.outcome is Outcome.INCONCLUSIVE else patches.get(trial.patch)
    if text is None:
        return None
    valid, reason = trial.outcome is Outcome.VALID, "" if trial.reason is None else trial.reason.value
    judged = Judged(trial.patch, sketch(parse(text)), valid, trial.probability, reason)
    return Recollected(trial.vulnerability, trial.content_hash, judged)
