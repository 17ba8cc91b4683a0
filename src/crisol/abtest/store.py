"""The interface of a store of trials, and the store that keeps them in memory."""

from __future__ import annotations

import datetime as dt
import threading
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from crisol.abtest.sampler import HashSampler, check_rate
from crisol.abtest.tally import Slice, Tally
from crisol.abtest.trial import check
from crisol.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from crisol.records import Trial

__all__ = ["EVERYTHING", "MemoryStore", "Switch", "TrialFilter", "TrialStore", "utc_now"]


def utc_now() -> dt.datetime:
    """Return this machine's time, in UTC and with its time zone."""
    return dt.datetime.now(dt.UTC)


@dataclass(frozen=True, slots=True)
class Switch:
    """The switch of A/B testing, which the store keeps for all workers.

    ``rate`` is the sampling probability of patches that the model is sure of, while ``enabled``; ``salt``
    seeds which patches those are. Raises :class:`~crisol.errors.SettingsError` for a rate outside 0..1 or a
    salt that is not 1 to 512 printable characters.
    """

    enabled: bool = False
    rate: float = 0.10
    salt: str = "crisol"

    def __post_init__(self) -> None:
        check_rate(self.rate)
        if not self.salt or len(self.salt) > 512 or not self.salt.isprintable():
            raise SettingsError("the salt must be 1 to 512 printing characters")

    @property
    def sampler(self) -> HashSampler:
        """The sampler for this switch; its rate is 0 while A/B testing is off."""
        return HashSampler(self.rate if self.enabled else 0.0, self.salt)


@dataclass(frozen=True, slots=True)
class TrialFilter:
    """A condition on trials: all given fields must be equal; None matches every trial.

    ``since`` and ``until`` bound ``created_at``, the former inclusive, the latter exclusive. Raises
    :class:`~crisol.errors.SettingsError` for a time without a zone.
    """

    experiment: str | None = None
    arm: str | None = None
    model_version: str | None = None
    cwe: str | None = None
    since: dt.datetime | None = None
    until: dt.datetime | None = None

    def __post_init__(self) -> None:
        for name in ("since", "until"):
            time = getattr(self, name)
            if time is not None and time.tzinfo is None:
                raise SettingsError(f"{name} {time} carries no time zone: add one, such as +00:00")

    def admits(self, trial: Trial) -> bool:
        """Return whether the trial matches every field."""
        for name in ("experiment", "arm", "model_version", "cwe"):
            value = getattr(self, name)
            if value is not None and value != getattr(trial, name):
                return False
        if self.since is not None and trial.created_at < self.since:
            return False
        return self.until is None or trial.created_at < self.until


EVERYTHING = TrialFilter()
"""The filter that admits every trial."""


@runtime_checkable
class TrialStore(Protocol):
    """An append-only table of trials, and the switch of A/B testing.

    Every method is safe across threads; each store says whether processes may share it. All raise
    :class:`~crisol.errors.StoreError` when the store cannot be reached or refuses; nothing was written then.
    Reading raises :class:`~crisol.errors.IntegrityError`, naming the row, for a corrupt one.
    """

    def append(self, trials: Sequence[Trial]) -> int:
        """Store the trials durably, all or none; return how many were new.

        A trial whose id is stored already is ignored, so repeating an append is safe. Raises
        :class:`~crisol.errors.InputError`, before anything is written, for a trial that
        :func:`~crisol.abtest.trial.check` refuses.
        """
        ...

    def missing(self, ids: Collection[str]) -> set[str]:
        """Return those of the ids that no stored trial has."""
        ...

    def read(self, where: TrialFilter = EVERYTHING) -> Iterator[Trial]:
        """Yield the trials that match ``where``, ordered by ``created_at``, then id."""
        ...

    def latest(self, limit: int, where: TrialFilter = EVERYTHING) -> list[Trial]:
        """Return the last ``limit`` trials that match ``where``, the newest first.

        The store does not read the others.
        """
        ...

    def tallies(
        self, where: TrialFilter = EVERYTHING, by: Sequence[Slice] = ()
    ) -> dict[tuple[str, ...], Tally]:
        """Return the confusion matrix of each group of matching trials, sorted by key.

        A key has one text for each of ``by``; without ``by`` it is ``()``. Groups without trials are absent.
        Grouped by rung, the matrix compares the answers with the verdicts, otherwise the model's predictions.
        """
        ...

    def switch(self) -> Switch:
        """Return the switch; until somebody sets it, the ``initial`` one of this store object."""
        ...

    def flip(self, switch: Switch) -> None:
        """Set the switch durably, for all who share the store."""
        ...

    def close(self) -> None:
        """Release connections and files; closing twice is harmless."""
        ...


class MemoryStore:
    """Trials in this process's memory; the reference against which the other stores are tested.

    ``clock`` is the present against which trials are checked; ``initial`` the switch until one is set, None
    means off.
    """

    def __init__(self, clock: Callable[[], dt.datetime] = utc_now, initial: Switch | None = None) -> None:
        self._clock = clock
        self._trials: dict[str, Trial] = {}
        self._switch = initial or Switch()
        self._lock = threading.Lock()

    def append(self, trials: Sequence[Trial]) -> int:
        """See :meth:`TrialStore.append`."""
        now = self._clock()
        for trial in trials:
            check(trial, now)
        with self._lock:
            before = len(self._trials)
            for trial in trials:
                self._trials.setdefault(trial.id, trial)
            return len(self._trials) - before

    def missing(self, ids: Collection[str]) -> set[str]:
        """See :meth:`TrialStore.missing`."""
        with self._lock:
            return set(ids) - self._trials.keys()

    def read(self, where: TrialFilter = EVERYTHING) -> Iterator[Trial]:
        """See :meth:`TrialStore.read`."""
        with self._lock:
            chosen = [trial for trial in self._trials.values() if where.admits(trial)]
        return iter(sorted(chosen, key=lambda trial: (trial.created_at, trial.id)))

    def latest(self, limit: int, where: TrialFilter = EVERYTHING) -> list[Trial]:
        """See :meth:`TrialStore.latest`."""
        return list(self.read(where))[::-1][:limit]

    def tallies(
        self, where: TrialFilter = EVERYTHING, by: Sequence[Slice] = ()
    ) -> dict[tuple[str, ...], Tally]:
        """See :meth:`TrialStore.tallies`."""
        groups: defaultdict[tuple[str, ...], Tally] = defaultdict(Tally)
        for trial in self.read(where):
            key = tuple(slice_.of(trial) for slice_ in by)
            groups[key] += Tally.of(trial, answered=Slice.RUNG in by)
        return dict(sorted(groups.items()))

    def switch(self) -> Switch:
        """See :meth:`TrialStore.switch`."""
        return self._switch

    def flip(self, switch: Switch) -> None:
        """See :meth:`TrialStore.flip`."""
        self._switch = switch

    def close(self) -> None:
        """See :meth:`TrialStore.close`."""
