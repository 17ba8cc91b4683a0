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
    """The order in which triage wargames its candidates: likeliest first, updated by each verdict.

    ``memory`` holds the verdicts so far. With ``second`` (a second-stage model) a candidate's promise is its
    probability of valid; with None the log-odds of the model of the diff count, more for candidates similar
    to a valid patch, less for those similar to an invalid one.
    """

    second: SecondStage | None = None
    memory: Memory = field(default_factory=Memory)
    _candidates: dict[str, tuple[Sketch, float]] = field(default_factory=dict)

    def add(self, name: str, patch: Patch, probability: float | None) -> None:
        """Add a candidate by name.

        ``probability`` is that of valid by the model of the diff, None without a model.
        """
        self._candidates[name] = sketch(patch), _UNKNOWN if probability is None else probability

    def learn(self, name: str, *, valid: bool, reason: Reason | None = None) -> None:
        """Add the verdict on a candidate; the known fix is added as a valid one."""
        drawn, probability = self._candidates[name]
        why = "" if reason is None else reason.value
        self.memory.add(Judged(name, drawn, valid=valid, probability=probability, reason=why))

    def promise(self, name: str) -> float:
        """Return how likely a candidate is valid, in [0, 1], given the verdicts so far."""
        drawn, probability = self._candidates[name]
        if not len(self.memory):
            return probability
        recall = self.memory.recall(drawn, probability)
        if self.second is not None:
            return self.second.probability(recall.row)
        cold = min(max(probability, _LEAST), 1 - _LEAST)
        near = [0.0 if patch is None else patch.similarity for patch in (recall.valid, recall.invalid)]
        return 1 / (1 + math.exp(-math.log(cold / (1 - cold)) - near[0] + near[1]))
