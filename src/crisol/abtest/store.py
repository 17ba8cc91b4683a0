"""Where trials are kept: the Protocol, and the store that lives in memory."""

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
    """Return the time of this machine, in UTC."""
    return dt.datetime.now(dt.UTC)


@dataclass(frozen=True, slots=True)
class Switch:
    """The switch of A/B testing: on or off, the rate and the salt.

    The store keeps it, so all workers share it.
    Raises :class:`~crisol.errors.SettingsError` for a rate outside 0..1 or a salt that does not print.
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
        """The sampler that this switch asks for; switched off, it samples nothing that is sure."""
        return HashSampler(self.rate if self.enabled else 0.0, self.salt)


@dataclass(frozen=True, slots=True)
class TrialFilter:
    """Which trials a question is about; ``since`` is included, ``until`` is not, None asks for all.

    Raises :class:`~crisol.errors.SettingsError` for a time without a zone.
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
        """Return whether the question is about this trial."""
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
    """An append-only table of trials, and the switch.

    Every method is safe to call from several threads; what several processes may share is said by each store.
    All raise :class:`~crisol.errors.StoreError` when the store cannot be reached or refuses; then nothing was
    written. Reading raises :class:`~crisol.errors.IntegrityError`, naming the row, when a row is corrupt.
    """

    def append(self, trials: Sequence[Trial]) -> int:
        """Keep the trials, durably, all or none; return how many were new.

        A trial whose id is already kept is left as it is: appending again after a doubt is always right.
        Raises :class:`~crisol.errors.InputError`, before anything is written, for a trial that
        :func:`~crisol.abtest.trial.check` refuses.
        """
        ...

    def missing(self, ids: Collection[str]) -> set[str]:
        """Return those of the ids that no kept trial has."""
        ...

    def read(self, where: TrialFilter = EVERYTHING) -> Iterator[Trial]:
        """Yield the trials in the order of ``created_at``, then id."""
        ...

    def latest(self, limit: int, where: TrialFilter = EVERYTHING) -> list[Trial]:
        """Return the last ``limit`` trials of that order, the last one first; the store reads no others."""
        ...

    def tallies(
        self, where: TrialFilter = EVERYTHING, by: Sequence[Slice] = ()
    ) -> dict[tuple[str, ...], Tally]:
        """Return the confusion matrix of each group, sorted by the groups' keys.

        A key has one text for each of ``by``; without ``by`` the only key is ``()``. No trials, no groups.
        Grouped by rung, the matrix is that of the answers, else that of the model's guesses.
        """
        ...

    def switch(self) -> Switch:
        """Return the switch as it stands for all who share the store.

        Until it is set, that is the ``initial`` switch of the store.
        """
        ...

    def flip(self, switch: Switch) -> None:
        """Set the switch, durably."""
        ...

    def close(self) -> None:
        """Give connections and files back; closing twice is harmless."""
        ...


class MemoryStore:
    """Trials in this process, gone with it; the reference that the other stores are tested against."""

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
