"""One fault's effect on a service under steady load: the observations and the figures from them."""

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
"""The watch polls breakers four times a second: a longer gap means that the breaker was closed."""


@dataclass(frozen=True, slots=True, eq=False)
class Episode:
    """The observations of one fault under steady load.

    ``load`` is the result of the steady load. ``begin`` and ``end`` are the times of the fault, in seconds of
    the monotonic clock. ``breakers`` has a row for each poll of the service's breakers. Its columns are time
    (monotonic clock, too) and open (the names of the breakers that were not closed, with commas, "" for
    none). ``due`` counts the patches for which a trial had to be stored, ``lost`` those of them without a
    stored trial, ``skewed`` the trials dated outside the run. ``admitted`` is the number of an attacker's
    admitted requests, divided by what the rate limit allows (NaN without a flood). ``refused`` says whether
    the service reported that it refused to load a model.
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
        """The load in windows of one second, see :func:`crisol.loadtest.result.timeline`."""
        return timeline(self.load.samples, _SHOWN)

    @property
    def span(self) -> tuple[float, float, str]:
        """Begin and end of the fault, in seconds since the first request, and the fault's name."""
        start = float(self.load.samples["intended"].min())
        return self.begin - start, self.end - start, self.fault.name

    @property
    def open_spans(self) -> list[tuple[float, float, str]]:
        """The times in which a breaker was not closed, as (begin, end, name of the breaker).

        Begin and end are in seconds since the first request. A breaker that closed for more than a second in
        between has two entries.
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

        A *sign* is a request that failed, an answer that names a missing dependency, or a poll with a breaker
        not closed. ``detect_s`` is the time from the fault's begin to the first sign, NaN without one.
        ``recover_s`` is the time from the fault's end to the last sign before five quiet seconds; infinite if
        the load ended earlier. ``strays`` counts signs before the fault and after the recovery. ``hits_kept``
        is the cache's hit ratio during the fault, divided by the hit ratio in the rest of the run.
        ``p99_during_ms`` is the 99th percentile of the latency during the fault, in milliseconds, over
        answers with status 200. ``requests`` counts the requests of the whole run, ``failed`` those of them
        that failed; ``failed_share`` is failed / requests. ``trials_due``, ``trials_lost``,
        ``trials_skewed``, ``admitted`` and ``model_refused`` are the fields ``due``, ``lost``, ``skewed``,
        ``admitted`` and ``refused``; ``wrong_answers`` is that of the load.
        """
        signs = self._signs()
        during = self.load.samples[
            (self.load.samples["intended"] >= self.begin) & (self.load.samples["intended"] < self.end)
        ]
        begin, last = float(self.load.samples["intended"].min()), float(self.load.samples["intended"].max())
        recover = _quiet_after(signs[signs >= self.begin], self.end, last) - self.end
        strays = signs[(signs < self.begin) | (signs > self.end + recover)]
        detected = signs[signs >= self.begin]
        failed = self.load.samples["failed"]
        calm = _hits(self.load.samples.drop(during.index))
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
            "hits_kept": _hits(during) / calm if calm else float("nan"),
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


def _hits(samples: pd.DataFrame) -> float:
    """Return the share of the cache among the answers; NaN where there is none."""
    return float((samples.loc[~samples["failed"], "source"] == "cache").mean())


def _quiet_after(signs: pd.Series[float], end: float, last: float) -> float:
    """Return the moment from ``end`` on that is followed by a while without a sign.

    It is infinite where there is no such moment.
    """
    quiet = min(_QUIET, (last - end) / 2)
    well = end
    for sign in signs[signs > end]:
        if sign - well > quiet:
            return well
        well = float(sign)
    return well if last - well > quiet or well == end else float("inf")
