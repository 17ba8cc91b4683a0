"""A/B testing: keep asking whether the model still deserves its trust.

``Sampler`` picks patches, ``run`` (or, live, the shadow queue) makes :class:`~crisol.records.Trial` records,
a ``TrialStore`` keeps them, and pure functions turn what the store sums up into estimates that may be
believed.
"""

from crisol.abtest.runner import Arm, Experiment, Truth, label_of, run
from crisol.abtest.sampler import Draw, HashSampler, RandomSampler, Sampler
from crisol.abtest.store import EVERYTHING, MemoryStore, Switch, TrialFilter, TrialStore
from crisol.abtest.tally import Cell, Slice, Tally
from crisol.abtest.trial import check, disagreement, observe, trial_id

__all__ = [
    "EVERYTHING",
    "Arm",
    "Cell",
    "Draw",
    "Experiment",
    "HashSampler",
    "MemoryStore",
    "RandomSampler",
    "Sampler",
    "Slice",
    "Switch",
    "Tally",
    "TrialFilter",
    "TrialStore",
    "Truth",
    "check",
    "disagreement",
    "label_of",
    "observe",
    "run",
    "trial_id",
]
