"""Policies: the thresholds at which a model decides without a wargame.

Service, command line, risk control and experiments all decide by :class:`Policy`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crisol.errors import SettingsError
from crisol.records import Outcome

__all__ = ["NEVER", "LadderPolicy", "Policy"]


@dataclass(frozen=True, slots=True)
class Policy:
    """Thresholds on the probability of valid: accept at ``accept`` or above, reject at ``reject`` or below.

    Between the thresholds the patch is wargamed. A threshold of None is never reached; with both None every
    patch is wargamed. ``reason`` is a sentence on where the thresholds come from.

    >>> policy = Policy(accept=0.9, reject=0.1)
    >>> policy.decide(0.95), policy.decide(0.5)
    (<Outcome.VALID: 'valid'>, None)
    >>> policy.accepts(np.array([0.95, 0.5]))
    array([ True, False])

    Raises :class:`~crisol.errors.SettingsError` if both thresholds are numbers and ``reject`` is not below
    ``accept``.
    """

    accept: float | None = None
    reject: float | None = None
    reason: str = "no thresholds were chosen"

    def __post_init__(self) -> None:
        if not self._reject < self._accept:
            raise SettingsError(f"refusing at {self.reject} and accepting at {self.accept} overlap")

    def decide(self, probability: float) -> Outcome | None:
        """Return the decision at this probability of valid: valid, invalid, or None to wargame the patch."""
        if probability >= self._accept:
            return Outcome.VALID
        return Outcome.INVALID if probability <= self._reject else None

    def accepts(self, probability: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return a boolean array (n,): True where the policy accepts the patch without a wargame.

        ``probability`` (n,) is the probability of valid for each patch.
        """
        return probability >= self._accept

    def refuses(self, probability: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return a boolean array (n,): True where the policy rejects the patch without a wargame.

        ``probability`` (n,) is the probability of valid for each patch.
        """
        return probability <= self._reject

    def decides(self, probability: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return a boolean array (n,): True where the policy accepts or rejects the patch without a wargame.

        ``probability`` (n,) is the probability of valid for each patch.
        """
        return self.accepts(probability) | self.refuses(probability)

    @property
    def _accept(self) -> float:
        return math.inf if self.accept is None else self.accept

    @property
    def _reject(self) -> float:
        return -math.inf if self.reject is None else self.reject


NEVER = Policy()
"""The policy that wargames every patch."""


@dataclass(frozen=True, slots=True)
class LadderPolicy:
    """The policies of the memory rung (``memory``) and of the model rung (``model``).

    By default both rungs leave every patch to the next rung. In the example ``known`` is the number of
    earlier verdicts on the vulnerability; if it is 0, the memory rung never decides.

    >>> ladder = LadderPolicy(memory=Policy(reject=0.1), model=Policy(reject=0.02))
    >>> ladder.remembered(0.05, known=3), ladder.remembered(0.05, known=0)
    (<Outcome.INVALID: 'invalid'>, None)
    """

    memory: Policy = NEVER
    model: Policy = NEVER

    def remembered(self, probability: float, known: int) -> Outcome | None:
        """Return the decision of the policy ``memory`` at a probability of valid: valid, invalid or None.

        None leaves the patch to the next rung. ``known`` is the number of earlier verdicts on the
        vulnerability; if it is 0, the result is None.
        """
        return self.memory.decide(probability) if known else None
