"""Which candidate to wargame next: the one that is likeliest valid by all that is known at this moment.

>>> order = Order(fix)  # doctest: +SKIP
>>> best = max(left, key=lambda candidate: order.score(candidate.profile, candidate.probability))  # doctest: +SKIP
>>> order.learn(best.profile, valid=False)  # doctest: +SKIP

A score is no probability: it sorts the candidates of one vulnerability and nothing else.
"""

from __future__ import annotations

import math
from collections import Counter

from crisol.evidence.fix import Part, Profile

__all__ = ["Order", "likeness"]

_COLD, _RIGHT, _WRONG = 0.5, 3.0, 3.0
"""Chosen on every other vulnerability of the corpus, see ``experiments/bench/bench_triage.py``."""
_LEAST = 1e-4


class Order:
    """What is known of one vulnerability: the profiles of judged patches, and of the known fix, where there is one."""

    def __init__(self, fix: Profile | None = None) -> None:
        self._right: list[Counter[Part]] = [] if fix is None else [fix.parts]
        self._wrong: list[Counter[Part]] = []

    def learn(self, profile: Profile, *, valid: bool) -> None:
        """Remember the verdict of a wargame."""
        (self._right if valid else self._wrong).append(profile.parts)

    def score(self, profile: Profile, probability: float | None) -> float:
        """Return how promising a candidate is; ``probability`` is the cold model's, None where there is no model."""
        cold = min(max(0.5 if probability is None else probability, _LEAST), 1 - _LEAST)
        right = max((likeness(profile.parts, other) for other in self._right), default=0.0)
        wrong = max((likeness(profile.parts, other) for other in self._wrong), default=0.0)
        return _COLD * math.log(cold / (1 - cold)) + _RIGHT * right - _WRONG * wrong


def likeness(one: Counter[Part], other: Counter[Part]) -> float:
    """Return the share of parts that two patches have in common, 0 to 1."""
    whole = (one | other).total()
    return (one & other).total() / whole if whole else 1.0
