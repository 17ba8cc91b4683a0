"""Keep metrics as numbers in memory, or in a file that other processes read; counting costs one addition."""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import secrets
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["CAPACITY", "Counter", "Histogram", "Slots", "Snapshot", "others"]

CAPACITY = 4096
_BYTES = CAPACITY * 8


class Counter:
    """A number that only grows, kept in the array ``values`` at the index ``slot``.

    The array is that of a :class:`Slots`. Not safe across threads or between workers: only the event loop of
    one worker may add to it.
    """

    __slots__ = ("_slot", "_values")

    def __init__(self, values: memoryview[float], slot: int) -> None:
        self._values = values
        self._slot = slot

    def add(self, n: float = 1.0) -> None:
        """Add ``n`` to the counter; a negative ``n`` is a mistake that is not checked."""
        self._values[self._slot] += n


class Histogram:
    """The sum of observations, and how many fell into each bucket, kept in the array ``values``.

    The array is that of a :class:`Slots`. The sum is at the index ``slot``, and the counts of the buckets are
    at the next indices. ``bounds`` are the upper edges of the buckets, inclusive and ascending; one more
    bucket, the last, counts larger observations. Not safe across threads or between workers: only the event
    loop of one worker may add to it.
    """

    __slots__ = ("_bounds", "_slot", "_values")

    def __init__(self, values: memoryview[float], slot: int, bounds: Sequence[float]) -> None:
        self._values = values
        self._slot = slot
        self._bounds = bounds

    def observe(self, value: float) -> None:
        """Add ``value`` to the sum, and 1 to the count of the histogram bucket in which ``value`` falls.

        ``value`` has the unit of the bounds.
        """
        values, slot = self._values, self._slot
        values[slot] += value
        # Bounds are inclusive, as in Prometheus.
        values[slot + 1 + bisect_left(self._bounds, value)] += 1.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A copy of the metrics of one worker process at one moment.

    ``values`` maps (family name, label values) to numbers; the label values are in the order of the family's
    ``labels``. A counter or gauge has one number; a histogram has the sum of its observations, then the count
    of each bucket. ``worker`` is the worker's name; ``alive`` is True if the worker's process still runs.
    """

    worker: str
    alive: bool
    values: dict[tuple[str, tuple[str, ...]], tuple[float, ...]]


class Slots:
    """The array of numbers, ``values``, in which one worker process keeps all its metrics.

    ``worker`` is the worker's name. If ``folder`` is None, the array is in memory, and no other process can
    read it. Otherwise it is a file in ``folder``, mapped into memory, next to a second file that says which
    numbers belong to which metric. ``name`` is the name of both files without suffix:

    - ``*.values``: the array.
    - ``*.names``: JSON lines. The first names the process and the worker. Each other line names a metric, the
      index of its first number, and how many numbers it has.

    A missing folder is made. The files stay when the worker ends, so that its metrics are still exported.
    """

    def __init__(self, folder: Path | None, worker: str) -> None:
        self.worker = worker
        self._next = 0
        self._names: dict[tuple[str, tuple[str, ...]], tuple[int, int]] = {}
        self._file = None
        self.name = f"{worker}-{os.getpid()}-{secrets.token_hex(4)}"
        if folder is None:
            self.values = memoryview(bytearray(_BYTES)).cast("d")
            return
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"{self.name}.values").open("w+b") as file:
            file.truncate(_BYTES)
            self.values = memoryview(mmap.mmap(file.fileno(), _BYTES)).cast("d")
        self._file = (folder / f"{self.name}.names").open("w", encoding="utf-8")
        self._write({"pid": os.getpid(), "worker": worker})

    def place(self, family: str, labels: tuple[str, ...], width: int) -> int:
        """Return the index, in the array, of the first of the ``width`` numbers of one metric.

        ``family`` is the name of the metric's family; ``labels`` are its label values. The first call for a
        metric reserves ``width`` consecutive numbers. Later calls for the metric return the same index and
        ignore ``width``. Raises ``RuntimeError`` if fewer than ``width`` of the ``CAPACITY`` numbers of the
        array are free.
        """
        entry = self._names.get((family, labels))
        if entry is not None:
            return entry[0]
        slot = self._next
        if slot + width > CAPACITY:
            raise RuntimeError(f"{family}{labels}: no slots left for another set of labels")
        self._next += width
        self._names[family, labels] = slot, width
        self._write({"family": family, "labels": labels, "slot": slot, "width": width})
        return slot

    def snapshot(self) -> Snapshot:
        """Return a copy of this worker's metrics; later changes of the metrics do not change it."""
        values = {key: tuple(self.values[slot : slot + width]) for key, (slot, width) in self._names.items()}
        return Snapshot(self.worker, alive=True, values=values)

    def _write(self, entry: dict[str, object]) -> None:
        if self._file is not None:
            self._file.write(json.dumps(entry) + "\n")
            self._file.flush()


def others(folder: Path, own: str) -> Iterator[Snapshot]:
    """Yield a copy of the metrics of each worker with files in ``folder``, except the caller's own worker.

    ``own`` is the ``name`` of the caller's :class:`Slots`. The workers come in the order of their file names;
    ended workers are included. A worker whose files cannot be read is skipped, and so is a metric whose line
    in a file ``*.names`` is damaged. A missing folder yields nothing.
    """
    for names in sorted(folder.glob("*.names")):
        if names.stem == own:
            continue
        with contextlib.suppress(OSError, ValueError):
            yield _read(names)


def _read(names: Path) -> Snapshot:
    with names.with_suffix(".values").open("rb") as file:
        values = memoryview(file.read(_BYTES).ljust(_BYTES, b"\0")).cast("d")
    head, *lines = names.read_text(encoding="utf-8", errors="replace").splitlines() or ["{}"]
    about = json.loads(head)
    pid, worker = int(about.get("pid", 0)), str(about.get("worker", "?"))
    slots: dict[tuple[str, tuple[str, ...]], tuple[float, ...]] = {}
    for line in lines:
        # If a process died while it wrote a line, the line has no end.
        with contextlib.suppress(ValueError, KeyError, TypeError):
            entry = json.loads(line)
            slot, width = int(entry["slot"]), int(entry["width"])
            labels = tuple(str(label) for label in entry["labels"])
            if slot >= 0 and width > 0 and slot + width <= CAPACITY:
                slots[str(entry["family"]), labels] = tuple(values[slot : slot + width])
    return Snapshot(worker, _runs(pid), slots)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return pid > 0
