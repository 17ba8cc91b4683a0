"""Which candidate is wargamed next: the likeliest, by the cold model and by every verdict reached so far."""

from __future__ import annotations

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


@dataclass(slots=True)
class TriageOrder:
    """The order in which triage wargames its candidates: likeliest first, updated by each verdict.

    ``memory`` holds the verdicts so far. With ``second`` (a second-stage model) a candidate's promise is its
    probability of valid; with None it is the probability by the model of the diff, which similarity to judged
    patches does not improve. Without any model the similarity to a valid patch counts for a candidate, that
    to an invalid one against it.
    """

    second: SecondStage | None = None
    memory: Memory = field(default_factory=Memory)
    _candidates: dict[str, tuple[Sketch, float | None]] = field(default_factory=dict)

    def add(self, name: str, patch: Patch, probability: float | None) -> None:
        """Add a candidate by name.

        ``probability`` is that of valid by the model of the diff, None without a model.
        """
        self._candidates[name] = sketch(patch), probability

    def learn(self, name: str, *, valid: bool, reason: Reason | None = None) -> None:
        """Add the verdict on a candidate; the known fix is added as a valid one."""
        drawn, probability = self._candidates[name]
        why = "" if reason is None else reason.value
        cold = _UNKNOWN if probability is None else probability
        self.memory.add(Judged(name, drawn, valid=valid, probability=cold, reason=why))

    def promise(self, name: str) -> float:
        """Return how likely a candidate is valid, in [0, 1], given the verdicts so far."""
        drawn, probability = self._candidates[name]
        if not len(self.memory) or (self.second is None and probability is not None):
            return _UNKNOWN if probability is None else probability
        recall = self.memory.recall(drawn, _UNKNOWN if probability is None else probability)
        if self.second is not None:
            return self.second.probability(recall.row)
        near = [0.0 if patch is None else patch.similarity for patch in (recall.valid, recall.invalid)]
        return (1 + near[0] - near[1]) / 2
