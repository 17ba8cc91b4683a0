"""The rule by which a prediction becomes a decision, or a wargame."""

from __future__ import annotations

import math
from dataclasses import dataclass

from crisol.errors import SettingsError
from crisol.records import Decision, Outcome, Prediction, Source, Verdict

__all__ = ["Thresholds", "fall_back", "from_model", "from_verdict", "guess"]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Accept alone at ``accept`` or above, refuse alone at ``reject`` or below; None: never without a wargame.

    ``reason`` says where they come from. Raises :class:`~crisol.errors.SettingsError` where they overlap.
    """

    accept: float | None = None
    reject: float | None = None
    reason: str = "no thresholds were chosen"

    def __post_init__(self) -> None:
        accept = math.inf if self.accept is None else self.accept
        reject = -math.inf if self.reject is None else self.reject
        if not reject < accept:
            raise SettingsError(f"refusing at {self.reject} and accepting at {self.accept} overlap")

    def sure(self, probability: float) -> bool:
        """Return whether the model may decide alone."""
        if self.accept is not None and probability >= self.accept:
            return True
        return self.reject is not None and probability <= self.reject


def from_model(prediction: Prediction, thresholds: Thresholds) -> Decision | None:
    """Return the model's decision, or None where it is not sure enough to go without a wargame."""
    if not thresholds.sure(prediction.probability):
        return None
    accepted = thresholds.accept is not None and prediction.probability >= thresholds.accept
    outcome = Outcome.VALID if accepted else Outcome.INVALID
    confidence = prediction.probability if accepted else 1.0 - prediction.probability
    return Decision(outcome, Source.MODEL, confidence, prediction=prediction)


def from_verdict(verdict: Verdict, prediction: Prediction | None, degraded: tuple[str, ...] = ()) -> Decision:
    """Return the wargame's decision; an inconclusive verdict has confidence 0."""
    detail = next((phase.detail for phase in verdict.phases if phase.reason is verdict.reason), "")
    return Decision(
        verdict.outcome,
        Source.WARGAME,
        0.0 if verdict.outcome is Outcome.INCONCLUSIVE else 1.0,
        reason=verdict.reason,
        detail=detail if verdict.reason is not None else "",
        prediction=prediction,
        verdict=verdict,
        degraded=degraded,
    )


def guess(prediction: Prediction) -> Decision:
    """Return what the model takes for likelier, as advice: for vulnerabilities that cannot be wargamed."""
    return Decision(
        Outcome.VALID if prediction.valid else Outcome.INVALID,
        Source.MODEL,
        prediction.confidence,
        prediction=prediction,
        advisory=True,
    )


def fall_back(prediction: Prediction | None, verdict: Verdict | None, degraded: tuple[str, ...]) -> Decision:
    """Return what can be said when the wargame cannot be run: the model's guess, or that nothing is known."""
    if prediction is None:
        outcome, confidence = Outcome.INCONCLUSIVE, 0.0
    else:
        outcome = Outcome.VALID if prediction.valid else Outcome.INVALID
        confidence = prediction.confidence
    return Decision(
        outcome,
        Source.FALLBACK,
        confidence,
        reason=None if verdict is None else verdict.reason,
        prediction=prediction,
        verdict=verdict,
        advisory=True,
        degraded=degraded,
    )
