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
    """Return the present time of this machine's clock, in UTC and with that time zone."""
    return dt.datetime.now(dt.UTC)


@dataclass(frozen=True, slots=True)
class Switch:
    """Whether A/B testing is on, and its sampling; the trial store keeps the switch for all workers.

    While ``enabled``, a patch of which the model is sure is wargamed with probability ``rate``. The hash of
    ``salt`` and the patch's identity decides which patches are wargamed. Raises
    :class:`~crisol.errors.SettingsError` for a rate outside 0..1, or a salt that is not 1 to 512 printable
    characters.
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
    """A condition on trials, for the methods of a trial store.

    A trial matches if it has the same ``experiment``, ``arm``, ``model_version`` and ``cwe`` (text such as
    ``CWE-22``), and was created at or after ``since`` and before ``until``. A field that is None is not
    compared. Raises :class:`~crisol.errors.SettingsError` for a time without a time zone.
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
        """Return whether a trial matches every field of this filter that is not None."""
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
    """The interface of a table of trials: trials are added to it, and none is changed or deleted.

    The store also keeps the switch of A/B testing. Every method may be called from several threads; each
    store class says whether several processes may share it. Every method raises
    :class:`~crisol.errors.StoreError` if the store cannot be reached or refuses the operation; then nothing
    was written. Methods that return trials raise :class:`~crisol.errors.IntegrityError`, which names the row,
    for a corrupt row.
    """

    def append(self, trials: Sequence[Trial]) -> int:
        """Store trials, all or none; return how many were new. After the return they survive a crash.

        A trial whose id is stored already is ignored, so that a call may be repeated. Raises
        :class:`~crisol.errors.InputError` for a trial with a value out of range or dated in the future; then
        nothing was written.
        """
        ...

    def missing(self, ids: Collection[str]) -> set[str]:
        """Return those of the trial ids ``ids`` that are not in the store."""
        ...

    def read(self, where: TrialFilter = EVERYTHING) -> Iterator[Trial]:
        """Yield the trials that match ``where``, ordered by ``created_at``, then id."""
        ...

    def latest(self, limit: int, where: TrialFilter = EVERYTHING) -> list[Trial]:
        """Return the ``limit`` newest trials that match ``where``, the newest first.

        The call is fast even in a store of many trials.
        """
        ...

    def tallies(
        self, where: TrialFilter = EVERYTHING, by: Sequence[Slice] = ()
    ) -> dict[tuple[str, ...], Tally]:
        """Return the weighted confusion matrix of each group of the trials that match ``where``.

        ``by`` lists the properties to group by. The keys are tuples with one text for each property, in the
        order of ``by``, and are sorted; without ``by`` the only key is ``()``. A group without trials is
        absent; if no trial matches, the dict is empty. Each matrix compares answers with verdicts: the
        answers to the callers if ``by`` contains the rung, otherwise the predictions of the model.
        """
        ...

    def switch(self) -> Switch:
        """Return the switch of A/B testing that :meth:`flip` stored last.

        If :meth:`flip` stored none, it is the ``initial`` switch that the store was made with.
        """
        ...

    def flip(self, switch: Switch) -> None:
        """Store ``switch`` as the present switch of A/B testing, for every process that uses the store."""
        ...

    def close(self) -> None:
        """Release connections and files; closing twice is harmless."""
        ...


class MemoryStore:
    """A trial store in the memory of this process; its trials are lost with the object.

    ``clock`` returns the present time in UTC. :meth:`append` raises :class:`~crisol.errors.InputError` for a
    trial dated more than 5 minutes after that time. ``initial`` is the switch of A/B testing until
    :meth:`flip` stores another; None means off.
    """

    def __init__(self, clock: Callable[[], dt.datetime] = utc_now, initial: Switch | None = None) -> None:
        self._clock = clock
        self._trials: dict[str, Trial] = {}
        self._switch = initial or Switch()
        self._lock = threading.Lock()

    def append(self, trials: Sequence[Trial]) -> int:
        """Store trials, all or none, and return how many were new.

        A trial whose id is stored already is ignored. Raises :class:`~crisol.errors.InputError` for a trial
        with a value out of range or dated in the future; then nothing was stored.
        """
        now = self._clock()
        for trial in trials:
            check(trial, now)
        with self._lock:
            before = len(self._trials)
            for trial in trials:
                self._trials.setdefault(trial.id, trial)
            return len(self._trials) - before

    def missing(self, ids: Collection[str]) -> set[str]:
        """Return those of the trial ids ``ids`` that are not stored."""
        with self._lock:
            return set(ids) - self._trials.keys()

    def read(self, where: TrialFilter = EVERYTHING) -> Iterator[Trial]:
        """Return an iterator of the trials that match ``where``, ordered by ``created_at``, then id."""
        with self._lock:
            chosen = [trial for trial in self._trials.values() if where.admits(trial)]
        return iter(sorted(chosen, key=lambda trial: (trial.created_at, trial.id)))

    def latest(self, limit: int, where: TrialFilter = EVERYTHING) -> list[Trial]:
        """Return the ``limit`` newest trials that match ``where``, the newest first."""
        return list(self.read(where))[::-1][:limit]

    def tallies(
        self, where: TrialFilter = EVERYTHING, by: Sequence[Slice] = ()
    ) -> dict[tuple[str, ...], Tally]:
        """Return the tally of each group of the trials that match ``where``, in a dict sorted by key.

        ``by`` lists the properties to group by; without ``by`` all trials are one group. A key holds the text
        of each property, in the order of ``by``. A group without trials is absent. Each tally compares
        answers with verdicts: the answers to the callers if ``by`` contains the rung, otherwise the
        predictions of the model.
        """
        groups: defaultdict[tuple[str, ...], Tally] = defaultdict(Tally)
        for trial in self.read(where):
            key = tuple(slice_.of(trial) for slice_ in by)
            groups[key] += Tally.of(trial, answered=Slice.RUNG in by)
        return dict(sorted(groups.items()))

    def switch(self) -> Switch:
        """Return the switch that :meth:`flip` stored last; before that, the store's ``initial`` switch."""
        return self._switch

    def flip(self, switch: Switch) -> None:
        """Keep ``switch`` as the present switch of A/B testing."""
        self._switch = switch

    def close(self) -> None:
        """Do nothing: the trials stay, and the store can still be used."""
