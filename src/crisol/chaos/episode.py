"""The effect of one fault on a service under steady load: the observations and the figures from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from crisol.chaos.faults import Fault
from crisol.loadtest.result import LoadResult, timeline

__all__ = ["Episode"]

_SHOWN = 1.0
_QUIET = 5.0
_ASKED = 1.0
"""Seconds between two observations of an open breaker after which it counts as closed in between.

Breakers are polled four times a second.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Episode:
    """The observations of one fault in a service under steady load.

    - ``load``: the result of the load, with its requests and answers.
    - ``begin``, ``end``: when the fault began and ended, in seconds of the monotonic clock.
    - ``breakers``: the states of the service's circuit breakers, read four times a second. Each reading is a
      row with two columns: ``time`` (seconds of the monotonic clock) and ``open`` (the names of the breakers
      that were not closed, joined with commas).
    - ``due``: the number of patches for which the service had to store a trial. ``lost``: the number of those
      without a stored trial.
    - ``skewed``: the number of trials dated before the beginning or after the end of the test.
    - ``admitted``: the number of an attacker's requests that the service admitted, divided by the number that
      the rate limit allows; NaN if the fault is not a flood of requests.
    - ``refused``: True if the service reported that it refused to load a model.
    """

    fault: Fault
    load: LoadResult
    begin: float
    end: float
    breakers: pd.DataFrame
    due: int
    lost: int
    skewed: int = 0
    admitted: float = float("nan")
    refused: bool = False

    @property
    def timeline(self) -> pd.DataFrame:
        """A row for each second of the load, with throughput, errors, latency and sources of the answers.

        See :func:`crisol.loadtest.result.timeline` for the columns.
        """
        return timeline(self.load.samples, _SHOWN)

    @property
    def span(self) -> tuple[float, float, str]:
        """When the fault began and ended, in seconds since the load's first request, and the fault's name."""
        start = float(self.load.samples["intended"].min())
        return self.begin - start, self.end - start, self.fault.name

    @property
    def open_spans(self) -> list[tuple[float, float, str]]:
        """The periods in which a circuit breaker was not closed, as (begin, end, name of the breaker).

        Begin and end are in seconds since the first request of the load. Two periods of the same breaker
        that are at most a second apart count as one.
        """
        start = float(self.load.samples["intended"].min())
        rows = self.breakers[self.breakers["open"] != ""]
        names = sorted({name for text in rows["open"] for name in text.split(",")})
        spans = []
        for name in names:
            times = self.breakers["time"][[name in text.split(",") for text in self.breakers["open"]]]
            for _, run in times.groupby((times.diff() > _ASKED).cumsum()):
                spans.append((float(run.min()) - start, float(run.max()) - start, name))
        return spans

    @property
    def metrics(self) -> dict[str, float]:
        """The figures of the episode, by name.

        A *sign* of the fault is a request that failed, an answer that names a missing dependency, or a
        circuit breaker that is not closed. A *quiet time* is a time without signs: five seconds, or half of
        the load after the fault if that is shorter. The service has *recovered* at the end of the fault if a
        quiet time follows; otherwise at the first later sign that is followed by a quiet time.

        - ``detect_s``: seconds from the beginning of the fault to the next sign; NaN without such a sign.
        - ``recover_s``: seconds from the end of the fault to the recovery; infinite if the load ended before
          the recovery was seen.
        - ``strays``: the number of signs before the fault or after the recovery.
        - ``requests``, ``failed``, ``failed_share``: the number of requests of the whole load, the number of
          those that failed, and their share.
        - ``trials_due``, ``trials_lost``, ``trials_skewed``, ``admitted``, ``model_refused``: the fields
          ``due``, ``lost``, ``skewed``, ``admitted`` and ``refused``.
        - ``wrong_answers``: the number of answers that contradict the known verdict or prediction of their
          patch.
        - ``hits_kept``: the cache's hit ratio during the fault, divided by that of the rest of the load; NaN
          if either is unknown or the divisor is 0.
        - ``p99_during_ms``: the 99th percentile of the latency during the fault, in milliseconds, without
          failures; NaN if no request succeeded.
        """
        signs = self._signs()
        during = self.load.samples[
            (self.load.samples["intended"] >= self.begin) & (self.load.samples["intended"] < self.end)
        ]
        begin, last = float(self.load.samples["intended"].min()), float(self.load.samples["intended"].max())
        recover = _recovered_at(signs[signs >= self.begin], self.end, last) - self.end
        strays = signs[(signs < self.begin) | (signs > self.end + recover)]
        detected = signs[signs >= self.begin]
        failed = self.load.samples["failed"]
        calm = _hit_ratio(self.load.samples.drop(during.index))
        p99 = during.loc[~during["failed"], "latency_ms"]
        return {
            "detect_s": float(detected.min()) - self.begin if len(detected) else float("nan"),
            "recover_s": recover,
            "strays": float((strays >= begin).sum()),
            "requests": float(len(self.load.samples)),
            "failed": float(failed.sum()),
            "failed_share": float(failed.mean()),
            "trials_due": float(self.due),
            "trials_lost": float(self.lost),
            "trials_skewed": float(self.skewed),
            "wrong_answers": self.load.metrics["wrong_answers"],
            "hits_kept": _hit_ratio(during) / calm if calm else float("nan"),
            "admitted": self.admitted,
            "model_refused": float(self.refused),
            "p99_during_ms": float(np.percentile(p99, 99)) if len(p99) else float("nan"),
        }

    def _signs(self) -> pd.Series[float]:
        samples = self.load.samples
        bad = samples.loc[samples["failed"] | (samples["degraded"] != ""), "intended"]
        times = self.breakers.loc[self.breakers["open"] != "", "time"]
        signs: pd.Series[float] = pd.concat([bad, times]).astype(float).sort_values()
        return signs


def _hit_ratio(samples: pd.DataFrame) -> float:
    """Return the share of the successful requests that the cache answered; NaN if none succeeded."""
    return float((samples.loc[~samples["failed"], "source"] == "cache").mean())


def _recovered_at(signs: pd.Series[float], end: float, last: float) -> float:
    """Return the time at which the service had recovered from a fault; infinite if it had not by ``last``.

    ``signs`` are the ascending times of signs of the fault; ``end`` is the end of the fault, ``last`` the
    time of the last request. The service recovered at ``end`` or at the first later sign that no sign follows
    for five seconds, or for half of the time from ``end`` to ``last`` if that is shorter. Without a sign
    after ``end`` the result is ``end``.
    """
    quiet = min(_QUIET, (last - end) / 2)
    well = end
    for sign in signs[signs > end]:
        if sign - well > quiet:
            return well
        well = float(sign)
    return well if last - well > quiet or well == end else float("inf")
