"""A/B testing: compare the model's predictions with the verdicts on sampled patches.

A ``Sampler`` chooses the patches. :func:`run` makes the :class:`~crisol.records.Trial` records of an
experiment over labelled patches; in a service the shadow queue makes them. A ``TrialStore`` keeps the trials.
Pure functions compute metrics with intervals from the store's tallies.
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
