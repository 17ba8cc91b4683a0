r"""Compare a patch with the patches of the same vulnerability whose verdicts are known.

>>> from crisol.diff import parse
>>> from crisol.evidence.similarity import sketch
>>> memory = Memory()
>>> fix = parse("--- a/app.py\n+++ b/app.py\n@@ -1 +1,2 @@\n read(name)\n+if name < 9: stop()\n")
>>> memory.add(Judged(fix.identity, sketch(fix), valid=True, probability=0.7))
>>> recall = memory.recall(sketch(fix), 0.7)
>>> recall.known, recall.valid.similarity
(1, 1.0)

A memory holds only the verdicts that are known at the time. The simulation of a stream adds each verdict when
it would become known.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crisol.evidence.similarity import KINDS, PARTS, Sketch, by_kind

__all__ = ["COLUMNS", "Judged", "Memory", "Near", "Recall"]

_Floats = NDArray[np.float64]

_PER_PART = ("near", "of_nearest")
_PER_NEAREST = (
    "similarity",
    "mean",
    *(f"{what}_{part}" for what in _PER_PART for part in PARTS),
    *(f"{side}_{kind}" for side in ("here", "there", "lost") for kind in KINDS),
    "cold_beyond",
    "added_beyond",
    "removed_beyond",
)
_PER_SHARING = ("mean_near", "mean_nearest", "has", "lacks", "has_worst", "has_best", "lacks_worst", "new")
_REASONS = ("exploit", "breaks", "unsound")

COLUMNS = (
    "cold",
    "known",
    "valid",
    "invalid",
    "share",
    "mean_alike",
    *(f"{label}_{name}" for label in ("valid", "invalid") for name in _PER_NEAREST),
    *(f"nearest_{reason}" for reason in _REASONS),
    *(f"{name}_{part}" for part in PARTS for name in _PER_SHARING),
)
"""The columns of a memory row, in order; a number is nan if the judged patches do not determine it.

``has_*`` is about the parts, such as tokens and lines, that the patch has, ``lacks_*`` about those that it
lacks and a judged patch has: the log-odds of valid that having or lacking the part gives.
"""

_WEIGHTS = np.array([1.5, 0.5, 0.5, 1.5, 1.0, 1.5, 1.0, 1.0, 1.5])
_WEIGHTS /= _WEIGHTS.sum()
_PRIOR = 0.3
_MOST = 1_000
_MOST_ITEMS = 20_000
_REASON_OF = {
    "exploit_survives": 0,
    "variant_survives": 0,
    "partial_fix": 0,
    "breaks_function": 1,
    "timeout": 1,
    "diverges_from_reference": 1,
}


@dataclass(frozen=True, slots=True)
class Judged:
    """A patch with its verdict, as a memory stores it.

    ``identity`` is that of the patch, ``sketch`` its sketch, by which it is compared. ``valid`` is the
    verdict. ``reason`` is the value of the :class:`~crisol.records.Reason` of an invalid verdict; "" if the
    patch is valid or the reason is unknown. ``probability`` is the probability of valid that the model gave
    from the diff alone.
    """

    identity: str
    sketch: Sketch
    valid: bool
    probability: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Near:
    """The judged patch that is most similar to a candidate, among the valid or among the invalid ones.

    ``identity`` is that of the judged patch. ``valid`` is its verdict, ``reason`` the value of the
    :class:`~crisol.records.Reason` of an invalid verdict, "" if the patch is valid or the reason unknown.
    ``similarity`` is in [0, 1]; 1 means that both patches change the same lines in the same way.
    """

    identity: str
    similarity: float
    valid: bool
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Recall:
    """The answer of a memory about a patch: the most similar judged patches, and the memory row.

    ``known`` is the number of verdicts in the memory. ``valid`` is the most similar valid patch, ``invalid``
    the most similar invalid patch; None means that the memory has no such patch. ``row`` is the memory row, a
    float64 array of shape (columns,); the tuple :data:`COLUMNS` names its values, and nan means unknown.
    """

    known: int
    valid: Near | None
    invalid: Near | None
    row: _Floats


class Memory:
    """The verdicts known for one vulnerability, at most ``most`` of them.

    By default ``most`` is 1,000; it is at least 1. When the memory is full, the older half of the verdicts is
    dropped before a new one is added. A new verdict on a stored patch replaces the earlier one. Threads must
    not share a memory.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._judged: list[Judged] = []
        self._at: dict[str, int] = {}
        self._label = np.zeros(8)
        self._parts = [_Part() for _ in PARTS]

    def __len__(self) -> int:
        return len(self._judged)

    def __contains__(self, identity: str) -> bool:
        return identity in self._at

    @property
    def judged(self) -> Sequence[Judged]:
        """The patches with their verdicts, in the order in which they were added."""
        return self._judged

    def add(self, judged: Judged) -> None:
        """Add a patch with its verdict, and remove an earlier verdict on the same patch.

        If the memory is full, the older half of its verdicts is removed first.
        """
        if judged.identity in self._at:
            kept = [other for other in self._judged if other.identity != judged.identity]
            self._rebuild([*kept, judged])
        elif len(self._judged) == self._most:
            self._rebuild([*self._judged[max(1, self._most // 2) :], judged])
        else:
            self._append(judged)

    def recall(self, sketch: Sketch, probability: float) -> Recall:
        """Return the judged patches that are most similar to a patch, and the memory row of the patch.

        ``sketch`` is the patch's sketch. ``probability`` is the probability of valid that the model gives
        from the diff alone; the memory row contains it as log-odds. If the memory is empty, there is no
        similar patch, and the row is nan except for the log-odds and the numbers of known, valid and invalid
        patches. The memory is not changed.
        """
        cold, n = _log_odds(probability), len(self._judged)
        right = int(self._label[:n].sum())
        row = [cold, n, right, n - right, (right + 0.5) / (n + 1.5) if n else math.nan]
        if not n:
            return Recall(0, None, None, np.array(row + [math.nan] * (len(COLUMNS) - len(row))))
        label = self._label[:n]
        alike = np.empty((len(PARTS), n))
        sharing = []
        for number, (part, items) in enumerate(zip(self._parts, sketch.parts, strict=True)):
            alike[number], evidence = part.compare(items, label)
            sharing.append(evidence)
        whole = _WEIGHTS @ alike
        weight = np.exp(12 * (whole - 1))
        row.append(float((weight @ label + 0.003) / (weight.sum() + 0.01)))
        nearest: list[Near | None] = []
        for rows in (np.flatnonzero(label), np.flatnonzero(1 - label)):
            at = int(rows[whole[rows].argmax()]) if len(rows) else None
            row += self._compared(sketch, cold, (alike, whole), rows, at)
            nearest.append(None if at is None else self._near(at, float(whole[at])))
        row += self._reason(nearest[1])
        # Products, since numpy's power of 8 takes ten times as long as three of them.
        square = alike * alike
        fourth = square * square
        near, nearest_alone = (
            (powers @ label + 0.05 * _PRIOR) / (powers.sum(axis=1) + 0.05)
            for powers in (square, fourth * fourth)
        )
        for number, evidence in enumerate(sharing):
            row += [float(near[number]), float(nearest_alone[number]), *evidence]
        return Recall(n, nearest[0], nearest[1], np.array(row))

    def _compared(
        self,
        sketch: Sketch,
        log_odds: float,
        alike: tuple[_Floats, _Floats],
        rows: NDArray[np.int_],
        at: int | None,
    ) -> list[float]:
        """Return the values of ``_PER_NEAREST``, by a comparison with the judged patches of one verdict.

        ``rows`` are the positions of these judged patches, ``at`` that of the most similar one; if ``at`` is
        None, all values are nan. ``alike`` has the similarities to all n judged patches: for each part of a
        sketch, shape (parts, n), and their weighted means, shape (n,).
        """
        if at is None:
            return [math.nan] * len(_PER_NEAREST)
        parts, whole = alike
        other = self._judged[at].sketch
        lost = (sketch.lost - other.lost) + (other.lost - sketch.lost)
        return [
            float(whole[at]),
            float(whole[rows].mean()),
            *parts[:, rows].max(axis=1).tolist(),
            *parts[:, at].tolist(),
            *by_kind(sketch.gained - other.gained),
            *by_kind(other.gained - sketch.gained),
            *by_kind(lost),
            log_odds - _log_odds(self._judged[at].probability),
            float(sketch.added - other.added),
            float(sketch.removed - other.removed),
        ]

    def _near(self, at: int, similarity: float) -> Near:
        judged = self._judged[at]
        return Near(judged.identity, similarity, judged.valid, judged.reason)

    @staticmethod
    def _reason(near: Near | None) -> list[float]:
        flags = [0.0] * len(_REASONS)
        if near is not None and near.reason:
            flags[_REASON_OF.get(near.reason, 2)] = 1.0
        return flags

    def _append(self, judged: Judged) -> None:
        at = len(self._judged)
        if at == len(self._label):
            self._label = np.concatenate([self._label, np.zeros(len(self._label))])
        self._label[at] = judged.valid
        for part, items in zip(self._parts, judged.sketch.parts, strict=True):
            part.add(at, items, valid=judged.valid)
        self._judged.append(judged)
        self._at[judged.identity] = at

    def _rebuild(self, judged: Iterable[Judged]) -> None:
        self._judged, self._at = [], {}
        self._label = np.zeros(8)
        self._parts = [_Part() for _ in PARTS]
        for patch in judged:
            self._append(patch)


class _Part:
    """The items (hashes) that the judged patches have in one part of their sketches, as a 0/1 matrix.

    ``_has`` has a row for each item and a column for each patch. ``_right`` and ``_wrong`` count, for each
    item, the valid and the invalid patches that have it.
    """

    def __init__(self) -> None:
        self._number: dict[int, int] = {}
        self._has = np.zeros((16, 8), dtype=np.uint8)
        self._size = np.zeros(8)
        self._right = np.zeros(16)
        self._wrong = np.zeros(16)
        self._odds: tuple[_Floats, _Floats] | None = None

    def add(self, at: int, items: tuple[int, ...], *, valid: bool) -> None:
        # In a full matrix a new item gets no row; it still counts in the patch's number of items.
        numbers = [self._number.setdefault(item, len(self._number)) for item in items if self._room(item)]
        self._grow(len(self._number), at + 1)
        self._has[numbers, at] = 1
        self._size[at] = len(items)
        (self._right if valid else self._wrong)[numbers] += 1
        self._odds = None

    def compare(self, items: tuple[int, ...], label: _Floats) -> tuple[_Floats, list[float]]:
        """Return the Jaccard similarity of ``items`` to each of the n judged patches, and six further values.

        ``label`` (n,) is 1 for a valid patch, 0 for an invalid one. The last six names of ``_PER_SHARING``
        are the names of the six values; all six are nan if no judged patch is valid, or none is invalid.
        """
        present = [number for item in items if (number := self._number.get(item)) is not None]
        numbers = np.array(present, dtype=np.intp)
        n = len(label)
        shared = np.zeros(n)
        # Up to 255 rows are summed as bytes, since this sum takes most of the time.
        for start in range(0, len(numbers), 255):
            shared += np.add.reduce(self._has[numbers[start : start + 255], :n], axis=0, dtype=np.uint8)
        union = self._size[:n] + len(items) - shared
        alike = np.where(union > 0, shared / np.maximum(union, 1), 1.0)
        return alike, self._evidence(numbers, len(items), label)

    def _evidence(self, numbers: NDArray[np.intp], size: int, label: _Floats) -> list[float]:
        right, count = float(label.sum()), len(self._number)
        wrong = len(label) - right
        if not right or not wrong:
            return [math.nan] * (len(_PER_SHARING) - 2)
        if self._odds is None:
            has = (self._right[:count] + 0.5) / (right + 1)
            had = (self._wrong[:count] + 0.5) / (wrong + 1)
            self._odds = np.log(has / had), np.log((1 - has) / (1 - had))
        present, absent = self._odds
        here = present[numbers]
        lacking = absent.copy()
        lacking[numbers] = 0.0
        return [
            float(here.sum()),
            float(lacking.sum()),
            float(here.min(initial=0.0)),
            float(here.max(initial=0.0)),
            float(lacking.min(initial=0.0)),
            (size - len(numbers)) / max(size, 1),
        ]

    def _room(self, item: int) -> bool:
        return item in self._number or len(self._number) < _MOST_ITEMS

    def _grow(self, items: int, patches: int) -> None:
        rows, columns = self._has.shape
        while rows < items:
            rows *= 2
        while columns < patches:
            columns *= 2
        if (rows, columns) != self._has.shape:
            has = np.zeros((rows, columns), dtype=np.uint8)
            has[: self._has.shape[0], : self._has.shape[1]] = self._has
            self._has = has
            self._size = np.concatenate([self._size, np.zeros(columns - len(self._size))])
            self._right = np.concatenate([self._right, np.zeros(rows - len(self._right))])
            self._wrong = np.concatenate([self._wrong, np.zeros(rows - len(self._wrong))])


def _log_odds(probability: float) -> float:
    probability = min(max(probability, 1e-4), 1 - 1e-4)
    return math.log(probability / (1 - probability))
