"""Sample the patches that are wargamed although the model is sure of them.

A sampler decides from the patch alone and returns the probability of being sampled: estimates later weight
each trial by its inverse.

>>> sampler = HashSampler(rate=0.10, salt="2026")
>>> sampler.draw("3f9a") == sampler.draw("3f9a")
True
>>> sampler.draw("3f9a", unsure=True)
Draw(sampled=True, probability=1.0)
"""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import dataclass, field
from typing import Protocol

from crisol.errors import SettingsError

__all__ = ["Draw", "HashSampler", "RandomSampler", "Sampler", "allots", "check_rate", "uniform"]


@dataclass(frozen=True, slots=True)
class Draw:
    """A sampler's answer for one patch.

    ``sampled`` says whether to wargame the patch; ``probability`` is the chance that it had of being sampled.
    """

    sampled: bool
    probability: float


class Sampler(Protocol):
    """The interface of objects that decide which patches are sampled for a wargame."""

    def draw(self, patch: str, *, unsure: bool = False) -> Draw:
        """Return whether to wargame a patch; ``patch`` is its identity, a hash in hexadecimal digits.

        ``unsure`` says that the model alone may not decide the patch; such a patch is always sampled.
        """
        ...


def uniform(*parts: str) -> float:
    """Return a hash of ``parts`` as a number in [0, 1); the same parts give it on every machine."""
    digest = hashlib.sha256(json.dumps(parts).encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) / 2.0**53


def allots(salt: str, patch: str, arm: str, share: float) -> bool:
    """Return whether ``arm``, by name, predicts a sampled patch, with probability ``share``.

    ``patch`` is the patch's identity. The answer is a hash of ``salt``, ``arm`` and ``patch``, so it is
    always the same for them, and independent of the sampling and of the other arms.
    """
    return uniform("arm", salt, arm, patch) < share


@dataclass(frozen=True, slots=True)
class HashSampler:
    """Sample the share ``rate``, 0 to 1, of the patches by a hash of ``salt`` and the patch's identity.

    ``salt`` is any text. With the same salt a patch is always sampled or never; a higher rate only adds
    patches. Raises :class:`~crisol.errors.SettingsError` for a rate outside 0..1.
    """

    rate: float
    salt: str

    def __post_init__(self) -> None:
        check_rate(self.rate)

    def draw(self, patch: str, *, unsure: bool = False) -> Draw:
        """Return whether to wargame a patch; ``patch`` is its identity, a hash in hexadecimal digits.

        The patch is sampled if the hash of ``salt`` and ``patch``, as a number in [0, 1), is below ``rate``.
        An ``unsure`` patch, which the model alone may not decide, is always sampled.
        """
        if unsure:
            return Draw(sampled=True, probability=1.0)
        return Draw(sampled=uniform("sample", self.salt, patch) < self.rate, probability=self.rate)


@dataclass(frozen=True, slots=True)
class RandomSampler:
    """Sample each arrival with probability ``rate``, by a random generator with ``seed``. Not thread-safe.

    Use it where the same patch comes again and each arrival counts. Raises
    :class:`~crisol.errors.SettingsError` for a rate outside 0..1.
    """

    rate: float
    seed: int
    _rng: random.Random = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_rate(self.rate)
        object.__setattr__(self, "_rng", random.Random(self.seed))

    def draw(self, patch: str, *, unsure: bool = False) -> Draw:  # noqa: ARG002 - the patch does not matter here
        """Return whether to wargame an arriving patch, by the next random number; the identity has no effect.

        An ``unsure`` patch, which the model alone may not decide, is always sampled; it uses up a random
        number, too.
        """
        number = self._rng.random()
        if unsure:
            return Draw(sampled=True, probability=1.0)
        return Draw(sampled=number < self.rate, probability=self.rate)


def check_rate(rate: float, name: str = "rate") -> None:
    """Raise :class:`~crisol.errors.SettingsError` unless ``rate`` is within 0..1.

    ``name`` is the word for the rate in the message.
    """
    if not 0.0 <= rate <= 1.0:
        raise SettingsError(f"{name} is {rate}: give a number within 0..1, such as 0.10")
