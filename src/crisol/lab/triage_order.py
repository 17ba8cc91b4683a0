"""The order in which a triage wargames its candidates."""

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
    """The order in which a triage wargames its candidates: the likeliest first, updated by each verdict.

    Call :meth:`add` for each candidate, and :meth:`learn` after each verdict; the candidate with the highest
    :meth:`promise` is next. ``memory`` holds the verdicts so far, from which the second stage ``second``
    predicts. If ``second`` is None, the probability of the model that reads the diff alone counts. Without
    such a model, a candidate is likelier the more similar it is to a valid patch, and less likely the more
    similar it is to an invalid one.
    """

    second: SecondStage | None = None
    memory: Memory = field(default_factory=Memory)
    _candidates: dict[str, tuple[Sketch, float | None]] = field(default_factory=dict)

    def add(self, name: str, patch: Patch, probability: float | None) -> None:
        """Add a candidate under the name ``name``.

        ``probability`` is the probability that the candidate is valid, by the model that reads the diff
        alone. None means that there is no model.
        """
        self._candidates[name] = sketch(patch), probability

    def learn(self, name: str, *, valid: bool, reason: Reason | None = None) -> None:
        """Add the verdict on the candidate ``name`` to ``memory``.

        ``reason`` is the reason of an invalid verdict, None if the patch is valid or the reason unknown.
        Raises KeyError unless :meth:`add` was called with ``name`` before.
        """
        drawn, probability = self._candidates[name]
        why = "" if reason is None else reason.value
        cold = _UNKNOWN if probability is None else probability
        self.memory.add(Judged(name, drawn, valid=valid, probability=cold, reason=why))

    def promise(self, name: str) -> float:
        """Return the estimated probability, in [0, 1], that a candidate is valid, given the verdicts so far.

        It is 0.5 where there is neither a model nor a verdict. Raises KeyError for a name that was not added.
        """
        drawn, probability = self._candidates[name]
        if not len(self.memory) or (self.second is None and probability is not None):
            return _UNKNOWN if probability is None else probability
        recall = self.memory.recall(drawn, _UNKNOWN if probability is None else probability)
        if self.second is not None:
            return self.second.probability(recall.row)
        near = [0.0 if patch is None else patch.similarity for patch in (recall.valid, recall.invalid)]
        return (1 + near[0] - near[1]) / 2
