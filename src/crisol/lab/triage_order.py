"""Which candidate is wargamed next: the likeliest, by the cold model and by every verdict reached so far."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from crisol.evidence.memory import Judged, Memory
from crisol.evidence.similarity import sketch

if TYPE_CHECKING:
    from crisol.diff import Patch
    from crisol.evidence.second_stage import SecondStage
    from crisol.evidence.similarity import Sketch
    from crisol.records import Reason

__all__ = ["TriageOrder"]

_UNKNOWN = 0.5
_LEAST = 1e-4


@dataclass(slots=True)
class TriageOrder:
    """Candidates by name, and a memory that grows by each verdict.

    With a second stage the promise of a candidate is its probability of valid; without one the cold log-odds
    count, more for what is alike to a valid patch, less for what is alike to an invalid one.
    """

    second: SecondStage | None = None
    memory: Memory = field(default_factory=Memory)
    _candidates: dict[str, tuple[Sketch, float]] = field(default_factory=dict)

    def add(self, name: str, patch: Patch, probability: float | None) -> None:
        """Take a candidate in; ``probability`` is the cold one, None without a model."""
        self._candidates[name] = sketch(patch), _UNKNOWN if probability is None else probability

    def learn(self, name: str, *, valid: bool, reason: Reason | None = None) -> None:
        """Learn the verdict on a candidate, or that it is the known fix."""
        drawn, probability = self._candidates[name]
        why = "" if reason is None else reason.value
        self.memory.add(Judged(name, drawn, valid=valid, probability=probability, reason=why))

    def promise(self, name: str) -> float:
        """Return how likely a candidate is valid, within 0..1, by what is known now."""
        drawn, probability = self._candidates[name]
        if not len(self.memory):
            return probability
        recall = self.memory.recall(drawn, probability)
        if self.second is not None:
            return self.second.probability(recall.row)
        cold = min(max(probability, _LEAST), 1 - _LEAST)
        near = [0.0 if patch is None else patch.similarity for patch in (recall.valid, recall.invalid)]
        return 1 / (1 + math.exp(-math.log(cold / (1 - cold)) - near[0] + near[1]))
