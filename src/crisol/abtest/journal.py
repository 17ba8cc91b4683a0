"""Keep trials in a local file while the store cannot be reached, and move them to the store afterwards.

::

    store = JournaledStore(PostgresStore(dsn), Journal(folder / "trials.journal"))
    store.append(trials)   # returns once the trials are durable: in the store, or in the journal

    store.journal.write(trials)   # writes to the disk alone, and does not wait for a slow store
    store.replay()                # moves the journal's trials to the store, also those from before a crash

A trial whose ``append`` or ``write`` returned reaches the store exactly once, even if a process is killed at
any moment. The journal is emptied only after the store has the trials, and the store ignores trials that it
has already.
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
    """The result of a replay, which moves the trials of a journal to the store.

    ``replayed`` is the number of trials that were passed to the store, including those that the store had
    already. ``rejected`` is the number of corrupt lines of the journal; they were moved to another file.
    """

    replayed: int = 0
    rejected: int = 0


class Journal:
    """A file that keeps trials, one in each line with a checksum, until they are moved to a store.

    ``path`` is the path of the file. The file and its folder are made when they are first needed; a missing
    file is an empty journal. Threads and processes of one machine may use the file at the same time, because
    every method locks it. Every method raises :class:`~crisol.errors.StoreError` if the file cannot be read
    or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, trials: Sequence[Trial]) -> None:
        """Append trials to the file; after the return they survive a crash of the process or the machine.

        Raises :class:`~crisol.errors.StoreError` if the file cannot be written.
        """
        data = b"".join(_encode(trial) for trial in trials)
        with _as_store_error(self.path), self._held(self.path) as file:
            file.seek(_whole(file))
            # A killed writer may have left half a line; it is removed, or the next line would continue it.
            file.truncate()
            file.write(data)
            _sync(file)

    def replay(self, append: Callable[[Sequence[Trial]], int]) -> Replay:
        """Pass all trials of the journal to ``append``, in the order of writing, and empty the journal.

        ``append`` stores the trials it gets and returns how many were new; a store's ``append`` will do. If
        it raises an exception, the exception is passed on and all trials stay in the journal. A corrupt line
        is logged and moved to the file ``<name>.rejected`` next to the journal. If another thread or process
        is replaying, this call waits for its end; :meth:`write` does not wait. Raises
        :class:`~crisol.errors.StoreError` if the file cannot be read or written.
        """
        replayed, rejected = 0, list[bytes]()
        lock = self._beside("lock")
        with contextlib.ExitStack() as stack:
            with _as_store_error(lock):
                stack.enter_context(self._held(lock))
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
        """Return the complete lines from the byte ``offset`` on; if there are none, empty the journal.

        Call it only when the store has all trials before ``offset``. ``rejected`` are corrupt lines; they are
        saved in the file ``<name>.rejected`` before the journal is emptied.
        """
        with _as_store_error(self.path), self._held(self.path) as file:
            end = _whole(file)
            file.seek(offset)
            if end > offset:
                return io.BytesIO(file.read(end - offset)).readlines()
            if rejected:
                path = self._beside("rejected")
                with _as_store_error(path), self._opened(path) as rejects:
                    rejects.seek(0, os.SEEK_END)
                    rejects.write(b"".join(rejected))
                    _sync(rejects)
            # If the power fails before this is on the disk, the trials are replayed again, which changes
            # nothing.
            file.truncate(0)
            return []

    @property
    def empty(self) -> bool:
        """Whether the file is missing or has no content.

        Raises :class:`~crisol.errors.StoreError` if that cannot be told, as without the right to read the
        folder.
        """
        with _as_store_error(self.path):
            try:
                return self.path.stat().st_size == 0
            except FileNotFoundError:
                return True

    def _beside(self, suffix: str) -> Path:
        return self.path.with_name(f"{self.path.name}.{suffix}")

    @contextlib.contextmanager
    def _held(self, path: Path) -> Iterator[Any]:
        with self._opened(path) as file:
            # The lock belongs to the open file, so it excludes other threads as well as other processes.
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file

    @contextlib.contextmanager
    def _opened(self, path: Path) -> Iterator[Any]:
        new = not path.exists()
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
            if new:
                _sync_folder(path.parent)
            yield file


class JournaledStore:
    """A trial store that wraps another store, and writes trials to a journal while that store is unavailable.

    ``store`` is the wrapped store, ``journal`` the file. Only :meth:`append` writes to the journal; all other
    methods call the wrapped store and raise its errors. Before :meth:`append` stores new trials, it moves
    those in the journal to the wrapped store; until then no method returns them. A trial that is dated more
    than 5 minutes after the present time is refused with :class:`~crisol.errors.InputError`; ``clock``
    returns the present time in UTC. Several threads may call the methods; several processes may do so if the
    wrapped store allows it.
    """

    def __init__(
        self, store: TrialStore, journal: Journal, clock: Callable[[], dt.datetime] = utc_now
    ) -> None:
        self.store = store
        self.journal = journal
        self._clock = clock

    def append(self, trials: Sequence[Trial]) -> int:
        """Store trials in the wrapped store, or in the journal while the store is unavailable.

        Returns how many of ``trials`` were new to the store; 0 if they went to the journal. Raises
        :class:`~crisol.errors.InputError` for a trial with a value out of range or dated in the future, and
        :class:`~crisol.errors.StoreError` if the journal can be neither read nor written.
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
        """Move the journal's trials into the wrapped store; return how many were moved and how many rejected.

        Raises :class:`~crisol.errors.UnavailableError` while the store is unavailable; the trials then stay
        in the journal.
        """
        return Replay() if self.journal.empty else self.journal.replay(self._append_late)

    def _append_late(self, trials: Sequence[Trial]) -> int:
        # A trial may have been written while the clock was ahead. No store takes trials of the future, and
        # the trials behind it in the journal would wait.
        now = max(self._clock(), EARLIEST)
        return self.store.append([replace(trial, created_at=min(trial.created_at, now)) for trial in trials])

    def missing(self, ids: Collection[str]) -> set[str]:
        """Return those of the trial ids ``ids`` that are not in the wrapped store.

        A trial that is still in the journal counts as missing. Raises :class:`~crisol.errors.StoreError` if
        the store cannot be reached.
        """
        return self.store.missing(ids)

    def read(self, where: TrialFilter = EVERYTHING) -> Iterator[Trial]:
        """Yield the trials of the wrapped store that match ``where``, ordered by ``created_at``, then id.

        Raises :class:`~crisol.errors.StoreError` if the store cannot be reached, and
        :class:`~crisol.errors.IntegrityError` for a corrupt row.
        """
        return self.store.read(where)

    def latest(self, limit: int, where: TrialFilter = EVERYTHING) -> list[Trial]:
        """Return the last ``limit`` trials of the wrapped store that match ``where``, the newest first.

        Raises :class:`~crisol.errors.StoreError` if the store cannot be reached, and
        :class:`~crisol.errors.IntegrityError` for a corrupt row.
        """
        return self.store.latest(limit, where)

    def tallies(
        self, where: TrialFilter = EVERYTHING, by: Sequence[Slice] = ()
    ) -> dict[tuple[str, ...], Tally]:
        """Return the weighted confusion matrix of each group of the stored trials that match ``where``.

        ``by`` lists the properties to group by. The keys are tuples with one text for each property, in the
        order of ``by``; without ``by`` the only key is ``()``. Groups without trials are absent. Each matrix
        compares answers with verdicts: the answers to the callers if ``by`` contains the rung, otherwise the
        predictions of the model. Raises :class:`~crisol.errors.StoreError` if the wrapped store cannot be
        reached.
        """
        return self.store.tallies(where, by)

    def switch(self) -> Switch:
        """Return the switch of A/B testing that the wrapped store keeps.

        Raises :class:`~crisol.errors.StoreError` if the store cannot be reached.
        """
        return self.store.switch()

    def flip(self, switch: Switch) -> None:
        """Store ``switch`` in the wrapped store as the present switch of A/B testing.

        Raises :class:`~crisol.errors.StoreError` if the store cannot be reached.
        """
        self.store.flip(switch)

    def close(self) -> None:
        """Close the wrapped store; trials in the journal stay there until the next replay."""
        self.store.close()


@contextlib.contextmanager
def _as_store_error(path: Path) -> Iterator[None]:
    """Return a context manager that raises ``StoreError`` in place of an ``OSError`` of the file ``path``."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"journal {path}: {error.strerror or error}") from error


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
    """Return the length of a file up to and including its last newline; the file's position changes."""
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
