"""The record of each request of a load test: numbers in arrays, so that a million take little memory."""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from crisol.records import Outcome, Reason, Source

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

__all__ = ["ERRORS", "Recorder", "load_samples"]

ERRORS = ("", "refused", "connect_timeout", "reset", "timeout", "bad_answer", "unfinished")
"""The ways in which a request can end without an answer; "" means that it has an answer."""

_SOURCES = ("", *Source)
_OUTCOMES = ("", *Outcome, "unknown")
_REASONS = ("", *Reason)
_DEPENDENCIES = ("cache", "database", "ml_model", "sandbox", "memory")
_CODES: dict[str, dict[str, int]] = {
    "source": {str(name): code for code, name in enumerate(_SOURCES)},
    "decided_by": {str(name): code for code, name in enumerate(_SOURCES)},
    "outcome": {str(name): code for code, name in enumerate(_OUTCOMES)},
    "reason": {str(name): code for code, name in enumerate(_REASONS)},
}
_BYTES = ("source", "decided_by", "outcome", "reason", "degraded", "advisory", "garbled")
_GARBLED = (0, 0, 0, 0, 0, 0, 1)
_MOST_SAYINGS = 10_000


class _Timings(msgspec.Struct):
    total_ms: float


class _Answer(msgspec.Struct):
    """The fields of a JSON answer that are recorded; the decoder skips all other fields."""

    outcome: str
    source: str
    decided_by: str
    reason: str | None
    probability: float | None
    advisory: bool
    degraded: tuple[str, ...]
    timings: _Timings


_decode = msgspec.json.Decoder(_Answer).decode


class Recorder:
    """The client's record of all requests of a load test, by their index in the planned order, from 0.

    Requests with equal bytes are one entry in the client's list of different requests; ``order`` has the
    index of this entry for each request. The client writes ``intended[i]`` (the planned start of request i)
    and ``sent[i]``, in seconds of the monotonic clock; both are NaN for a request that never began. ``done``
    counts the answers. ``failures`` counts the answers with another status than 200 and the requests without
    an answer.
    """

    def __init__(self, order: Sequence[int]) -> None:
        self.done = 0
        self.failures = 0
        nothing = array("d", [float("nan")]) * len(order)
        self.intended, self.sent = nothing[:], nothing[:]
        self._order = order
        self._received, self._probability, self._server_ms = nothing[:], nothing[:], nothing
        self._status, self._error, self._said = (array("H", bytes(2 * len(order))) for _ in range(3))
        # The texts of answers repeat: each combination is stored once, and a request stores its number.
        self._sayings: dict[tuple[object, ...], int] = {(): 0}
        self._codes = [[0] * len(_BYTES)]

    def answered(self, at: int, received: float, status: int, body: bytes) -> None:
        """Record the answer to the request with the index ``at``.

        ``received`` is the time of its arrival, in seconds of the monotonic clock; ``status`` and ``body``
        are those of the HTTP answer. A body with status 200 that cannot be decoded is recorded as garbled.
        """
        self.done += 1
        self._received[at] = received
        self._status[at] = status
        if status != 200:
            self.failures += 1
            return
        try:
            answer = _decode(body)
        except msgspec.DecodeError:
            self._said[at] = self._saying(_GARBLED, _GARBLED)
            return
        if answer.probability is not None:
            self._probability[at] = answer.probability
        self._server_ms[at] = answer.timings.total_ms
        combination = (
            answer.outcome, answer.source, answer.decided_by, answer.reason, answer.advisory, answer.degraded,
        )  # fmt: skip
        code = self._sayings.get(combination)
        self._said[at] = self._saying(combination, _codes(answer)) if code is None else code

    def failed(self, at: int, error: str) -> None:
        """Record that the request with the index ``at`` got no answer.

        ``error`` is one of :data:`ERRORS`, such as ``timeout``.
        """
        self.failures += 1
        self._error[at] = ERRORS.index(error)

    def save(self, path: Path, *, cpu: float, wall: float) -> None:
        """Write the record to the ``.npz`` file ``path``, which :func:`load_samples` reads.

        ``cpu`` and ``wall`` are the seconds of CPU time and of elapsed time that the client took.
        """
        intended = np.asarray(self.intended)
        codes = np.array(self._codes, np.uint8)[np.asarray(self._said)]
        np.savez(
            path,
            intended=intended,
            sent=np.asarray(self.sent),
            received=np.asarray(self._received),
            probability=np.asarray(self._probability),
            server_ms=np.asarray(self._server_ms),
            status=np.asarray(self._status),
            which=np.where(np.isnan(intended), -1, np.asarray(self._order, np.int32)),
            error=np.asarray(self._error, np.uint8),
            client=np.array([cpu, wall]),
            **{name: codes[:, column] for column, name in enumerate(_BYTES)},
        )

    def _saying(self, combination: tuple[object, ...], codes: tuple[int, ...]) -> int:
        """Return the index in ``self._codes`` of an answer's fields; they are added if they are new.

        ``codes`` are the fields of ``combination`` as small integers. Once ``_MOST_SAYINGS`` have been added,
        the result for new fields is the index of a garbled answer.
        """
        if combination not in self._sayings and len(self._codes) > _MOST_SAYINGS:
            combination, codes = _GARBLED, _GARBLED
        number = self._sayings.setdefault(combination, len(self._codes))
        if number == len(self._codes):
            self._codes.append(list(codes))
        return number


def _codes(answer: _Answer) -> tuple[int, ...]:
    words = [
        _CODES[name].get(getattr(answer, name) or "")
        for name in ("source", "decided_by", "outcome", "reason")
    ]
    missing = sum(1 << code for code, name in enumerate(_DEPENDENCIES) if name in answer.degraded)
    # In the order of _BYTES.
    return (*(code or 0 for code in words), missing, int(answer.advisory), int(None in words))


def load_samples(path: Path) -> tuple[pd.DataFrame, float]:
    """Return (table of requests, share of a core that the client process used) from the file ``path``.

    :meth:`Recorder.save` writes the file. The table has a row for each request that began, with the columns:

    - ``intended``, ``sent``, ``received``: the planned start, the sending and the answer, in seconds of the
      monotonic clock; NaN for a request that was not sent or not answered.
    - ``which``: a number that requests with the same route and patch share, see :meth:`.run.Load.asked`.
    - ``status``, ``error``: for an answer its HTTP status and "". Without an answer ``status`` is 0, and
      ``error`` is one of :data:`ERRORS`, such as ``timeout``.
    - ``outcome``, ``reason``, ``probability``: the answer's outcome, reason ("" if none) and probability of
      valid (NaN if none).
    - ``source``, ``decided_by``: the source of the answer, and for a cached answer its original source.
    - ``server_ms``: milliseconds that the answer took inside the service.
    - ``degraded``: names of the dependencies that the service missed, joined with commas.
    - ``advisory``: True if no rung could decide. ``garbled``: True if the answer could not be decoded.
    """
    import pandas as pd  # noqa: PLC0415 - the client itself does not need it

    with np.load(path) as data:
        arrays = {name: data[name] for name in data.files}
    cpu, wall = arrays.pop("client")
    frame = pd.DataFrame(arrays)
    for name, labels in (
        ("error", ERRORS),
        ("source", _SOURCES),
        ("decided_by", _SOURCES),
        ("outcome", _OUTCOMES),
        ("reason", _REASONS),
    ):
        frame[name] = np.array([str(label) for label in labels], dtype=object)[frame[name].to_numpy()]
    missing = [
        ",".join(name for bit, name in enumerate(_DEPENDENCIES) if code >> bit & 1)
        for code in range(1 << len(_DEPENDENCIES))
    ]
    frame["degraded"] = np.array(missing, dtype=object)[frame["degraded"].to_numpy()]
    for name in ("advisory", "garbled"):
        frame[name] = frame[name].astype(bool)
    return frame[frame["which"] >= 0].reset_index(drop=True), float(cpu / wall) if wall > 0 else 0.0
