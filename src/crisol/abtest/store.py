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

    ``rate`` is the probability, while ``enabled``, with which a patch that the model is sure of is sampled
    for a wargame. ``salt`` is the text that, hashed with a patch's identity, decides which patches are
    sampled. Raises :class:`~crisol.errors.SettingsError` for a rate outside 0..1 or a salt that is not 1 to
    512 printable characters.
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
        """A sampler with this rate and salt; its rate is 0 while A/B testing is off."""
        return HashSampler(self.rate if self.enabled else 0.0, self.salt)


@dataclass(frozen=True, slots=True)
class TrialFilter:
    """A condition on trials: all given fields must be equal; None matches every trial.

    A trial matches if it has the same ``experiment``, ``arm``, ``model_version`` and ``cwe``; a field that is
    None (the default) matches every trial. ``since`` (inclusive) and ``until`` (exclusive) bound the trial's
    ``created_at``. Raises :class:`~crisol.errors.SettingsError` for a time without a time zone.
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
        """Return whether the trial matches every field of the filter that is not None."""
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

    Every method is safe across threads; each class of stores says whether processes may share one. All raise
    :class:`~crisol.errors.StoreError` when the store cannot be reached or refuses; nothing was written then.
    Methods that read raise :class:`~crisol.errors.IntegrityError`, which names the row, for a corrupt row.
    """

    def append(self, trials: Sequence[Trial]) -> int:
        """Store the trials durably, all or none; return how many were new.

        A trial whose id is stored already is ignored, so repeating an append is safe. Raises
        :class:`~crisol.errors.InputError`, before anything is written, for a trial that
        :func:`~crisol.abtest.trial.check` refuses.
        """
        ...

    def missing(self, ids: Collection[str]) -> set[str]:
        """Return those ``ids`` (of trials) that are not in the store."""
        ...

    def read(self, where: TrialFilter = EVERYTHING) -> Iterator[Trial]:
        """Yield the trials that match ``where``, ordered by ``created_at``, then id."""
        ...

    def latest(self, limit: int, where: TrialFilter = EVERYTHING) -> list[Trial]:
        """Return the last ``limit`` trials by time that match ``where``, the newest first.

        Other trials are not read, so the call is fast in a large store.
        """
        ...

    def tallies(
        self, where: TrialFilter = EVERYTHING, by: Sequence[Slice] = ()
    ) -> dict[tuple[str, ...], Tally]:
        """Return the confusion matrix of each group of the trials that match ``where``, sorted by key.

        ``by`` lists the properties to group by. The key of a group holds one text for each of them, in the
        same order, see :meth:`~crisol.abtest.tally.Slice.of`; without ``by`` the only key is ``()``. Groups
        without trials are absent. The matrix compares the model's predictions with the verdicts; grouped by
        rung, it compares the answers to the callers with the verdicts.
        """
        ...

    def switch(self) -> Switch:
        """Return the switch that :meth:`flip` set last; before that, the ``initial`` one of this object."""
        ...

    def flip(self, switch: Switch) -> None:
        """Store ``switch`` durably as the present one, for every process that uses the store."""
        ...

    def close(self) -> None:
        """Release connections and files; closing twice is harmless."""
        ...


class MemoryStore:
    """Trials in this process's memory; the reference against which the other stores are tested.

    Only this process sees it, and it ends with the object. ``clock`` returns the present time, in UTC; trials
    dated over 5 minutes later are refused. ``initial`` is the switch until :meth:`flip` sets another; None
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
