"""The rung of the model: it decides a patch if the model's policy allows it.

Otherwise the later rungs get the model's prediction.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from crisol.errors import UnavailableError
from crisol.model.policy import NEVER, LadderPolicy
from crisol.records import Decision, Outcome, Source
from crisol.resilience.keys import digest

if TYPE_CHECKING:
    from crisol.diff import Patch
    from crisol.evidence.second_stage import SecondStage
    from crisol.model.policy import Policy
    from crisol.model.predictor import Predictor
    from crisol.records import Prediction
    from crisol.resilience.guard import CircuitBreaker
    from crisol.validation.ladder import Case

__all__ = ["ModelRung", "ServedModel"]

_INLINE_CHARACTERS = 32_768
_INLINE_SECONDS = 0.05
"""Seconds of a prediction: after two longer ones, all predictions run in threads.

So do those of diffs above the number of characters. On the event loop they would delay other requests.
"""

_ASIDE, _ASIDE_LINE = 2, 4
"""The most predictions that run in threads, and that run or wait; further patches are wargamed."""


@dataclass(frozen=True, slots=True)
class ServedModel:
    """The model that a service uses, with its policies.

    ``predictor`` is the model, None if none can be loaded, and ``policy`` says when it decides without a
    wargame. ``second`` is its second stage, None without one. ``learnt`` holds the identities of the patches
    on which the model was trained.

    Three fields are computed from these. ``ladder`` holds the policy of the model and that of the second
    stage. ``stamp`` is a hash of the versions and thresholds of model and second stage; it is a part of the
    cache key of every decision. ``tag`` is ``model:`` and the model's version, the tag by which cached
    decisions of the model are deleted.
    """

    predictor: Predictor | None
    policy: Policy
    second: SecondStage | None = None
    learnt: frozenset[str] = field(default=frozenset(), repr=False)
    ladder: LadderPolicy = field(init=False, repr=False)
    """The thresholds of the memory rung and of the model rung."""
    stamp: str = field(init=False, repr=False)
    tag: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        memory = NEVER if self.second is None else self.second.policy
        object.__setattr__(self, "ladder", LadderPolicy(memory=memory, model=self.policy))
        object.__setattr__(self, "stamp", digest((*self.version, *self._second_version)).hex())
        object.__setattr__(self, "tag", f"model:{self.version[0]}")

    @property
    def version(self) -> tuple[str, str, float | None, float | None]:
        """The model version, the feature version, the accept threshold and the reject threshold.

        The thresholds are probabilities of valid; None means that the policy never accepts, or never rejects.
        Without a model both versions are "".
        """
        accept, reject = self.policy.accept, self.policy.reject
        if self.predictor is None:
            return "", "", accept, reject
        serving = self.predictor.serving
        return serving.model_version, serving.feature_version, accept, reject

    @property
    def _second_version(self) -> tuple[str, float | None, float | None]:
        if self.second is None:
            return "", None, None
        return self.second.version, self.second.policy.accept, self.second.policy.reject


class ModelRung:
    """The rung that decides a patch by the model's prediction, if the model's policy allows it.

    ``served`` is the model in use; it may be replaced at any time. ``breaker`` is the circuit breaker around
    the model. If the vulnerability is not registered, the rung predicts but does not decide, because the
    policy bounds the share of errors only for registered vulnerabilities. Use it in one event loop.
    """

    def __init__(self, served: ServedModel, breaker: CircuitBreaker) -> None:
        self.served = served
        self._breaker = breaker
        self._slow = 0
        self._aside = 0
        self._aside_seats = asyncio.Semaphore(_ASIDE)

    @property
    def stamp(self) -> str:
        """A hash of the versions and thresholds of the model in use; a part of the cache key of decisions."""
        return self.served.stamp

    async def __call__(self, case: Case) -> Decision | None:
        """Return the decision if the model's policy allows it to decide the case, otherwise None.

        If the model gives no prediction, the call appends ``ml_model`` to ``case.missing``.
        """
        served, prediction = self.served, await self.predict(case)
        if prediction is None:
            case.missing.append("ml_model")
            return None
        outcome = None if case.pattern is None else served.ladder.model.decide(prediction.probability)
        return None if outcome is None else _decision(outcome, prediction, served.policy)

    async def predict(self, case: Case) -> Prediction | None:
        """Return the model's prediction for ``case``, and store it in ``case.prediction`` for later calls.

        None means that there is no model, or that it failed; after a failure the next call tries again.
        """
        if case.prediction is None and self.served.predictor is not None:
            case.prediction = await self._predict(self.served.predictor, case)
        return case.prediction

    async def _predict(self, predictor: Predictor, case: Case) -> Prediction | None:
        patch, characters = case.submission.patch, len(case.submission.text)
        try:
            if self._slow < 2 and characters <= _INLINE_CHARACTERS:
                prediction = self._breaker.call_sync(predictor.predict, patch, case.cwe)
            else:
                prediction = await self._predict_aside(predictor, patch, case.cwe)
        except (UnavailableError, TimeoutError):
            return None
        if characters <= _INLINE_CHARACTERS:
            # The model counts as slow after two slow answers in a row: a single one may be the machine's
            # doing.
            self._slow = 0 if prediction.seconds <= _INLINE_SECONDS else self._slow + 1
        return prediction

    async def _predict_aside(self, predictor: Predictor, patch: Patch, cwe: str) -> Prediction:
        if self._aside >= _ASIDE_LINE:
            raise UnavailableError(f"{self._aside} predictions are under way already")

        async def predict() -> Prediction:
            async with self._aside_seats:
                return await asyncio.to_thread(predictor.predict, patch, cwe)

        self._aside += 1
        try:
            return await self._breaker.call(predict)
        finally:
            self._aside -= 1


def _decision(outcome: Outcome, prediction: Prediction, policy: Policy) -> Decision:
    probability = prediction.probability
    if outcome is Outcome.VALID:
        confidence, evidence = (
            probability,
            f"probability {probability:.4f}, accepted from {policy.accept:g} on",
        )
    else:
        confidence = 1.0 - probability
        evidence = f"probability {probability:.4f}, refused up to {policy.reject:g}"
    return Decision(outcome, Source.MODEL, confidence, prediction=prediction, evidence=evidence)
