"""What a fault did to a service under steady load, and the figures of it."""

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
    """The observations of one fault.

    They are the load's result, the fault's start and end, and the breakers that were not closed. ``breakers``
    has the columns time and open, the names with commas; times are of the monotonic clock. Of the trials that
    were ``due`` some are ``lost``, and of all some ``skewed``; ``admitted`` is an attacker's share of what
    the limits allow; ``refused`` says whether the service was seen to refuse a model.
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
        """See :func:`crisol.loadtest.result.timeline`; the fault's span is :attr:`span`."""
        return timeline(self.load.samples, _SHOWN)

    @property
    def span(self) -> tuple[float, float, str]:
        """The beginning and end of the fault, in seconds of the timeline, and its name."""
        start = float(self.load.samples["intended"].min())
        return self.begin - start, self.end - start, self.fault.name

    @property
    def open_spans(self) -> list[tuple[float, float, str]]:
        """The spans in which breakers were not closed, in seconds of the timeline.

        A breaker that closed in between has two spans.
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
        """Return the figures of the episode, by name.

        They are detect_s, recover_s, failed, trials_due, trials_lost, trials_skewed, wrong_answers, hits_kept
        and the latency during the fault.

            A sign is a breaker that is not closed, an answer that says what it lacks, or a failure. Detected
            is the first one after the beginning; NaN where there was none. Recovered is the end of the signs,
            counted from the fault's end: the moment before five seconds without any; infinite where the load
            ended before. ``strays`` are signs among the answers before the fault and after the recovery: what
            the machine does without any fault. Skewed are trials dated outside of the run. ``hits_kept`` is
            the hit ratio during the fault, divided by that of the rest of the run.
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
