"""The rule by which a prediction becomes a decision, or a wargame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crisol.records import Decision, Outcome, Prediction, Source, Verdict

if TYPE_CHECKING:
    from crisol.model.policy import Policy

__all__ = ["fall_back", "from_model", "from_verdict", "guess"]


def from_model(prediction: Prediction, policy: Policy) -> Decision | None:
    """Return the model's decision, or None where it is not sure enough to go without a wargame."""
    outcome = policy.decide(prediction.probability)
    if outcome is None:
        return None
    valid = outcome is Outcome.VALID
    confidence = prediction.probability if valid else 1.0 - prediction.probability
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
