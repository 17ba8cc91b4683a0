"""Sample the patches that are wargamed although the model is sure of them.

A sampler decides whether to wargame a patch. It returns the decision, and the probability with which it
chooses the patch. Estimates later give the trial the weight 1 / that probability.

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
    """The decision of a sampler about one patch.

    ``sampled`` says whether to wargame the patch. ``probability`` is the probability with which the sampler
    selects this patch.
    """

    sampled: bool
    probability: float


class Sampler(Protocol):
    """The interface of samplers, which choose the patches that are wargamed although the model is sure.

    A sampler has the method :meth:`draw`, which decides about one patch.
    """

    def draw(self, patch: str, *, unsure: bool = False) -> Draw:
        """Return whether to wargame a patch, and the probability with which the sampler selects it.

        ``patch`` is the patch's identity. ``unsure`` says that the model may not decide the patch alone; such
        a patch is always sampled, with probability 1.
        """
        ...


def uniform(*parts: str) -> float:
    """Return a number in [0, 1) from a hash of ``parts``; the same parts always give the same number."""
    digest = hashlib.sha256(json.dumps(parts).encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) / 2.0**53


def allots(salt: str, patch: str, arm: str, share: float) -> bool:
    """Return whether an arm of an experiment is to predict a sampled patch.

    The result is True for about the share ``share``, in (0, 1], of the patches. ``patch`` is the identity of
    the patch, ``arm`` the name of the arm, ``salt`` any text. The answer comes from a hash of these three, so
    that a repeated call gives the same answer. The answer does not depend on the sampling or on the other
    arms.
    """
    return uniform("arm", salt, arm, patch) < share


@dataclass(frozen=True, slots=True)
class HashSampler:
    """A sampler that decides by a hash, so that a patch gets the same decision whenever it arrives.

    ``rate``, 0 to 1, is the share of the patches that is sampled. ``salt`` is any text; the hash is made of
    the salt and the patch's identity. Of two samplers with the same salt, the one with the higher rate
    samples every patch that the other samples, and more. Raises :class:`~crisol.errors.SettingsError` for a
    rate outside 0..1.
    """

    rate: float
    salt: str

    def __post_init__(self) -> None:
        check_rate(self.rate)

    def draw(self, patch: str, *, unsure: bool = False) -> Draw:
        """Return whether to wargame a patch, and the probability with which the sampler selects it.

        ``patch`` is the patch's identity; the same patch gets the same answer each time. ``unsure`` says that
        the model may not decide the patch alone; such a patch is always sampled, with probability 1.
        """
        if unsure:
            return Draw(sampled=True, probability=1.0)
        return Draw(sampled=uniform("sample", self.salt, patch) < self.rate, probability=self.rate)


@dataclass(frozen=True, slots=True)
class RandomSampler:
    """A sampler that decides by a random number, anew each time that a patch arrives. Not thread-safe.

    ``rate``, 0 to 1, is the probability that a patch is sampled; ``seed`` starts the random generator. Use
    this sampler if the same patch may arrive again and each arrival counts. Raises
    :class:`~crisol.errors.SettingsError` for a rate outside 0..1.
    """

    rate: float
    seed: int
    _rng: random.Random = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_rate(self.rate)
        object.__setattr__(self, "_rng", random.Random(self.seed))

    def draw(self, patch: str, *, unsure: bool = False) -> Draw:  # noqa: ARG002 - the patch does not matter here
        """Return whether to wargame a patch, and the probability with which the sampler selects it.

        ``patch`` is the patch's identity; the same patch may get another answer next time. ``unsure`` says
        that the model may not decide the patch alone; such a patch is always sampled, with probability 1.
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
