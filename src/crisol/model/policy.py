"""When a model may decide without a wargame.

Service, command line, risk control and experiments share this rule.
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
    """Accept alone at ``accept`` or above, refuse alone at ``reject`` or below, wargame between.

    A threshold of None is never reached.

    >>> policy = Policy(accept=0.9, reject=0.1)
    >>> policy.decide(0.95), policy.decide(0.5)
    (<Outcome.VALID: 'valid'>, None)
    >>> policy.accepts(np.array([0.95, 0.5]))
    array([ True, False])

    ``reason`` says where the thresholds come from. Raises :class:`~crisol.errors.SettingsError` where they
    overlap.
    """

    accept: float | None = None
    reject: float | None = None
    reason: str = "no thresholds were chosen"

    def __post_init__(self) -> None:
        if not self._reject < self._accept:
            raise SettingsError(f"refusing at {self.reject} and accepting at {self.accept} overlap")

    def decide(self, probability: float) -> Outcome | None:
        """Return the model's own decision at this probability of valid, or None: wargame the patch."""
        if probability >= self._accept:
            return Outcome.VALID
        return Outcome.INVALID if probability <= self._reject else None

    def accepts(self, probability: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return for each probability, shape (n,), whether the model accepts alone."""
        return probability >= self._accept

    def refuses(self, probability: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return for each probability, shape (n,), whether the model refuses alone."""
        return probability <= self._reject

    def decides(self, probability: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return for each probability, shape (n,), whether no wargame is needed."""
        return self.accepts(probability) | self.refuses(probability)

    @property
    def _accept(self) -> float:
        return math.inf if self.accept is None else self.accept

    @property
    def _reject(self) -> float:
        return -math.inf if self.reject is None else self.reject


NEVER = Policy()
"""Wargame every patch."""


@dataclass(frozen=True, slots=True)
class LadderPolicy:
    """The thresholds of the rungs that guess: the memory decides first, then the cold model.

    >>> ladder = LadderPolicy(memory=Policy(reject=0.1), model=Policy(reject=0.02))
    >>> ladder.remembered(0.05, known=3), ladder.remembered(0.05, known=0)
    (<Outcome.INVALID: 'invalid'>, None)
    """

    memory: Policy = NEVER
    model: Policy = NEVER

    def remembered(self, probability: float, known: int) -> Outcome | None:
        """Return what the memory decides with so many known verdicts.

        None hands the patch on, as no verdict does.
        """
        return self.memory.decide(probability) if known else None
