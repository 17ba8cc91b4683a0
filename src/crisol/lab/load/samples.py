"""What the client writes down of each request: numbers in arrays, so that a million of them weigh little."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from crisol.records import Outcome, Reason, Source

if TYPE_CHECKING:
    import pandas as pd

    from crisol.lab.load.wire import Request

__all__ = ["ERRORS", "Recorder", "load"]

ERRORS = ("", "refused", "connect_timeout", "reset", "timeout", "bad_answer", "unfinished")
"""How a request can end without an answer; the first means that it has one."""

_SOURCES = ("", *Source)
_OUTCOMES = ("", *Outcome)
_REASONS = ("", *Reason)
_DEPENDENCIES = ("cache", "database", "ml_model", "sandbox")
_CODES: dict[str, dict[str, int]] = {
    "source": {str(name): code for code, name in enumerate(_SOURCES)},
    "decided_by": {str(name): code for code, name in enumerate(_SOURCES)},
    "outcome": {str(name): code for code, name in enumerate(_OUTCOMES)},
    "reason": {str(name): code for code, name in enumerate(_REASONS)},
}
_FLOATS = ("intended", "sent", "received", "probability", "server_ms")
_BYTES = ("error", "source", "decided_by", "outcome", "reason", "degraded", "advisory", "garbled")


class _Timings(msgspec.Struct):
    total_ms: float


class _Answer(msgspec.Struct):
    """What matters of an answer; the rest is skipped over without being made."""

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
    """Takes down requests by their place in the order; those that never began keep ``intended`` at NaN."""

    def __init__(self, count: int) -> None:
        self.done = 0
        self.failures = 0
        self._arrays: dict[str, Any] = {name: np.full(count, np.nan) for name in _FLOATS}
        self._arrays |= {name: np.zeros(count, np.uint8) for name in _BYTES}
        self._arrays["status"] = np.zeros(count, np.uint16)
        self._arrays["which"] = np.full(count, -1, np.int32)

    def answered(self, request: Request, sent: float, received: float, head: bytes, body: bytes) -> None:
        """Take down an answer."""
        at, arrays = request.at, self._arrays
        self.done += 1
        arrays["intended"][at], arrays["sent"][at], arrays["received"][at] = request.intended, sent, received
        arrays["which"][at] = request.which
        status = int(head[9:12])
        arrays["status"][at] = status
        if status != 200:
            self.failures += 1
            return
        try:
            answer = _decode(body)
        except msgspec.DecodeError:
            arrays["garbled"][at] = 1
            return
        for name in ("source", "decided_by", "outcome", "reason"):
            code = _CODES[name].get(getattr(answer, name) or "")
            if code is None:
                arrays["garbled"][at] = 1
            else:
                arrays[name][at] = code
        if answer.probability is not None:
            arrays["probability"][at] = answer.probability
        arrays["advisory"][at] = answer.advisory
        arrays["server_ms"][at] = answer.timings.total_ms
        arrays["degraded"][at] = sum(
            1 << code for code, name in enumerate(_DEPENDENCIES) if name in answer.degraded
        )

    def failed(self, request: Request, error: str) -> None:
        """Take down that there was no answer."""
        arrays = self._arrays
        self.failures += 1
        arrays["intended"][request.at] = request.intended
        arrays["which"][request.at] = request.which
        arrays["error"][request.at] = ERRORS.index(error)

    def save(self, path: Path, *, cpu: float, wall: float) -> None:
        """Write everything into one file."""
        np.savez(path, **self._arrays, client=np.array([cpu, wall]))


def load(path: Path) -> tuple[pd.DataFrame, float]:
    """Read what a client wrote: a row for each request that began, and the share of a core that the client used.

    Columns: intended, sent, received (seconds of the monotonic clock), which (the request), status (0 without an
    answer), error, source, decided_by, outcome, reason (texts, empty where there is none), probability, server_ms,
    degraded (a set of names with commas), advisory, garbled.
    """
    import pandas as pd  # noqa: PLC0415 - the client itself does not need it

    with np.load(path) as data:
        arrays = {name: data[name] for name in data.files}
    cpu, wall = arrays.pop("client")
    frame = pd.DataFrame(arrays)
    for name, known in (
        ("error", ERRORS),
        ("source", _SOURCES),
        ("decided_by", _SOURCES),
        ("outcome", _OUTCOMES),
        ("reason", _REASONS),
    ):
        frame[name] = np.array([str(one) for one in known], dtype=object)[frame[name].to_numpy()]
    missing = [
        ",".join(name for bit, name in enumerate(_DEPENDENCIES) if code >> bit & 1)
        for code in range(1 << len(_DEPENDENCIES))
    ]
    frame["degraded"] = np.array(missing, dtype=object)[frame["degraded"].to_numpy()]
    for name in ("advisory", "garbled"):
        frame[name] = frame[name].astype(bool)
    return frame[frame["which"] >= 0].reset_index(drop=True), float(cpu / wall) if wall > 0 else 0.0
