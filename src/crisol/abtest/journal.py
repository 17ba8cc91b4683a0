"""Trials that cannot be stored now wait in a local file, and go to the store in order when it is back.

::

    store = JournaledStore(PostgresStore(dsn), Journal(folder / "trials.journal"))
    store.append(trials)   # returns once the trials are durable: in the store, or in the journal

    store.journal.write(trials)   # or first to the disk, which takes milliseconds whatever the store does,
    store.replay()                # and from there to the store, before or after a crash

Whatever is killed, and when: a trial whose ``append`` or ``write`` returned reaches the store exactly once,
because the journal is cut only after the store has the trials, and the store ignores those that it has.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import logging
import os
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from crisol.abtest.store import EVERYTHING, utc_now
from crisol.abtest.trial import EARLIEST, check, from_row, to_row
from crisol.errors import IntegrityError, StoreError, UnavailableError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path

    from crisol.abtest.store import Switch, TrialFilter, TrialStore
    from crisol.abtest.tally import Slice, Tally
    from crisol.records import Trial

__all__ = ["Journal", "JournaledStore", "Replay"]

_BATCH = 1_000
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Replay:
    """The result of a replay: how many trials went from the journal to the store, and how many did not.

    ``replayed`` counts the trials that the store took, ``rejected`` the corrupt lines that were moved to
    another file.
    """

    replayed: int = 0
    rejected: int = 0


class Journal:
    """An append-only file of trials at ``path``, one line each with a checksum.

    Safe across threads and across the processes of one machine: each call locks the file, and the lock ends
    with its process. Every method raises :class:`~crisol.errors.StoreError` if the file cannot be read or
    written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, trials: Sequence[Trial]) -> None:
        """Append the trials and sync the file: on return they survive a crash of the process or machine."""
        data = b"".join(_encode(trial) for trial in trials)
        with self._held(self.path) as file:
            file.seek(_whole(file))
            # What a killed writer left of its last line goes, or ours would continue it.
            file.truncate()
            file.write(data)
            _sync(file)

    def replay(self, append: Callable[[Sequence[Trial]], int]) -> Replay:
        """Pass all trials to ``append``, in the order in which they were written, then empty the journal.

        ``append`` is the method of a store; it takes the trials and returns how many were new. If it raises,
        the exception is passed on and all trials stay in the journal. Only one thread or process replays at a
        time; :meth:`write` is not blocked meanwhile. A corrupt line is moved to the file ``<name>.rejected``
        next to the journal and logged.
        """
        replayed, rejected = 0, list[bytes]()
        with self._held(self._beside("lock")):
            offset = 0
            while lines := self._lines_from(offset, rejected):
                trials = []
                for line in lines:
                    try:
                        trials.append(_decode(line, f"{self.path} at byte {offset}"))
                    except IntegrityError as error:
                        _log.error("%s; moved to %s", error, self._beside("rejected").name)
                        rejected.append(line)
                    offset += len(line)
                for start in range(0, len(trials), _BATCH):
                    append(trials[start : start + _BATCH])
                replayed += len(trials)
        return Replay(replayed, len(rejected))

    def _lines_from(self, offset: int, rejected: Sequence[bytes]) -> list[bytes]:
        """Return the lines from ``offset`` on.

        If there are none, every earlier line reached the store: empty the file.
        """
        with self._held(self.path) as file:
            end = _whole(file)
            file.seek(offset)
            if end > offset:
                return io.BytesIO(file.read(end - offset)).readlines()
            if rejected:
                with self._opened(self._beside("rejected")) as rejects:
                    rejects.seek(0, os.SEEK_END)
                    rejects.write(b"".join(rejected))
                    _sync(rejects)
            # Should the power fail before this is on the disk, the trials are replayed again, which changes
            # nothing.
            file.truncate(0)
            return []

    @property
    def empty(self) -> bool:
        """Whether the journal holds no trial."""
        try:
            return self.path.stat().st_size == 0
        except FileNotFoundError:
            return True

    def _beside(self, suffix: str) -> Path:
        return self.path.with_name(f"{self.path.name}.{suffix}")

    @contextlib.contextmanager
    def _held(self, path: Path) -> Iterator[Any]:
        """Open the file and keep all other threads and processes out of it."""
        with self._opened(path) as file:
            # Locks belong to the open file, so they part threads as well as processes.
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file

    @contextlib.contextmanager
    def _opened(self, path: Path) -> Iterator[Any]:
        try:
            new = not path.exists()
            path.parent.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
                if new:
                    _sync_folder(path.parent)
                yield file
        except OSError as error:
            raise StoreError(f"journal {path}: {error.strerror or error}") from error


class JournaledStore:
    """A trial store that writes to ``journal`` while the wrapped ``store`` is unavailable.

    Trials in the journal are moved to the store before new trials are stored; until then no read returns
    them. All methods but ``append`` call the store and raise what it raises. ``clock`` returns the present
    time, in UTC; trials dated over 5 minutes later are refused. Safe across threads and processes if the
    wrapped store is.
    """

    def __init__(
        self, store: TrialStore, journal: Journal, clock: Callable[[], dt.datetime] = utc_now
    ) -> None:
        self.store = store
        self.journal = journal
        self._clock = clock

    def append(self, trials: Sequence[Trial]) -> int:
        """Store the trials, in the store or else in the journal; return how many were new to the store.

        The number is 0 if the trials went to the journal. Raises :class:`~crisol.errors.InputError` for a
        trial that :func:`~crisol.abtest.trial.check` refuses, and :class:`~crisol.errors.StoreError` if
        neither the store nor the journal can write.
        """
        now = self._clock()
        for trial in trials:
            check(trial, now)
        try:
            self.replay()
            return self.store.append(trials)
        except UnavailableError as error:
            if trials:
                _log.warning("%d trials wait in %s: %s", len(trials), self.journal.path, error)
                self.journal.write(trials)
            return 0

    def replay(self) -> Replay:
        """Move the journal's trials into the store, and return how many were moved.

        Raises :class:`~crisol.errors.UnavailableError` while the store is unavailable; the trials then stay
        in the journal.
        """
        return Replay() if self.journal.empty else self.journal.replay(self._append_late)

    def _append_late(self, trials: Sequence[Trial]) -> int:
        # Written while the clock was ahead: no store takes trials of the future, and those behind them would
        # wait for it.
        now = max(self._clock(), EARLIEST)
        return self.store.append([replace(trial, created_at=min(trial.created_at, now)) for trial in trials])

    def missing(self, ids: Collection[str]) -> set[str]:
        """See :meth:`~crisol.abtest.store.TrialStore.missing`."""
        return self.store.missing(ids)

    def read(self, where: TrialFilter = EVERYTHING) -> Iterator[Trial]:
        """See :meth:`~crisol.abtest.store.TrialStore.read`."""
        return self.store.read(where)

    def latest(self, limit: int, where: TrialFilter = EVERYTHING) -> list[Trial]:
        """See :meth:`~crisol.abtest.store.TrialStore.latest`."""
        return self.store.latest(limit, where)

    def tallies(
        self, where: TrialFilter = EVERYTHING, by: Sequence[Slice] = ()
    ) -> dict[tuple[str, ...], Tally]:
        """See :meth:`~crisol.abtest.store.TrialStore.tallies`."""
        return self.store.tallies(where, by)

    def switch(self) -> Switch:
        """See :meth:`~crisol.abtest.store.TrialStore.switch`."""
        return self.store.switch()

    def flip(self, switch: Switch) -> None:
        """See :meth:`~crisol.abtest.store.TrialStore.flip`."""
        self.store.flip(switch)

    def close(self) -> None:
        """Close the store; trials in the journal stay there until the next replay."""
        self.store.close()


def _encode(trial: Trial) -> bytes:
    row = to_row(trial) | {"created_at": trial.created_at.isoformat()}
    text = json.dumps(row, allow_nan=False).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _decode(line: bytes, where: str) -> Trial:
    checksum, _, text = line.rstrip(b"\n").partition(b" ")
    if checksum != b"%08x" % zlib.crc32(text):
        raise IntegrityError(f"{where}: the line does not match its checksum")
    try:
        row = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise IntegrityError(f"{where}: {error}") from None
    if not isinstance(row, dict):
        raise IntegrityError(f"{where}: the line holds a {type(row).__name__} instead of an object")
    return from_row(row, where)


def _whole(file: Any) -> int:
    """Return where the last whole line ends; a line is whole with its newline."""
    end = file.seek(0, os.SEEK_END)
    while end > 0:
        start = max(0, end - 65_536)
        file.seek(start)
        newline = file.read(end - start).rfind(b"\n")
        if newline >= 0:
            return int(start + newline + 1)
        end = start
    return 0


def _sync(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
