"""Compute the figures of a load test from its samples, the rows of its requests.

The figures are percentiles, shares, a timeline, and whether the client itself was the bottleneck.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crisol.loadtest.material import Item
from crisol.loadtest.truth import wrong
from crisol.model.policy import Policy
from crisol.records import Source

__all__ = ["PERCENTILES", "LoadResult", "distribution", "percentiles", "summarise", "timeline"]

PERCENTILES = (50.0, 90.0, 95.0, 99.0, 99.9)
_BUSY = 0.85
_LATE_MS = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class LoadResult:
    """The result of one load test, without the requests of its warm-up.

    ``samples`` has a row for each request, with the columns of :func:`~crisol.loadtest.samples.load_samples`
    and these: ``latency_ms`` (milliseconds from the planned start to the answer), ``service_ms`` (from
    sending to the answer), ``lag_ms`` (from the planned start to sending), ``route`` (such as ``ml-first``)
    and ``failed`` (False for an answer with status 200). ``metrics`` are the figures by name, see
    :func:`summarise`. ``errors`` maps a kind of failure, such as ``timeout`` or ``HTTP 503``, to the number
    of requests that failed so. ``costs`` is the CPU time and memory of the service, the table of
    :meth:`~crisol.loadtest.watch.ProcessWatch.table`. It has no rows if the service was not measured.
    """

    samples: pd.DataFrame
    metrics: dict[str, float]
    errors: dict[str, int]
    costs: pd.DataFrame

    @property
    def table(self) -> pd.DataFrame:
        """The figures as a table with the columns ``measure`` (the figure's name) and ``value``."""
        return pd.DataFrame({"measure": list(self.metrics), "value": list(self.metrics.values())})

    @property
    def failures(self) -> pd.DataFrame:
        """A table with the columns ``kind`` (of failure) and ``count``; it is empty if no request failed."""
        return pd.DataFrame({"kind": list(self.errors), "count": list(self.errors.values())})


def percentiles(latency: NDArray[np.float64]) -> dict[str, float]:
    """Return percentiles of latencies: p50_ms, p90_ms, p95_ms, p99_ms, p99.9_ms, and max_ms.

    ``latency`` is in milliseconds, shape (n,). Each percentile is one of the latencies (nearest rank). All
    are NaN for an empty array.

    >>> percentiles(np.arange(1.0, 101.0))["p95_ms"]
    95.0
    """
    if not len(latency):
        return {f"p{p:g}_ms": float("nan") for p in PERCENTILES} | {"max_ms": float("nan")}
    ordered = np.sort(latency)
    metrics = {f"p{p:g}_ms": float(ordered[max(0, _rank(p, len(ordered)))]) for p in PERCENTILES}
    return metrics | {"max_ms": float(ordered[-1])}


def distribution(latency: NDArray[np.float64], points: int = 400) -> pd.DataFrame:
    """Return the quantiles of latencies for a plot that shows the slowest requests in detail.

    ``latency`` is in milliseconds, shape (n,). The table has ``points`` rows and the columns ``percentile``
    (0 to 100), ``one_in`` (100 means that one request in 100 is slower) and ``latency_ms``. ``one_in`` grows
    from 1 to n by a constant factor, so high percentiles lie closely together. If n is 0, the table has no
    rows.
    """
    if not len(latency):
        return pd.DataFrame({"percentile": [], "one_in": [], "latency_ms": []})
    ordered = np.sort(latency)
    one_in = np.geomspace(1.0, len(ordered), points)
    rank = np.minimum(np.ceil((1 - 1 / one_in) * len(ordered)).astype(int), len(ordered) - 1)
    return pd.DataFrame({"percentile": 100 * (1 - 1 / one_in), "one_in": one_in, "latency_ms": ordered[rank]})


def summarise(
    samples: pd.DataFrame,
    *,
    kinds: Sequence[tuple[str, Item]],
    policy: Policy,
    warm_up: float,
    closed: bool,
    client_cpu: float,
    middleware_ms: float,
    costs: pd.DataFrame | None,
) -> LoadResult:
    """Return the result of a load test from ``samples``, the table of :func:`load_samples`.

    ``kinds[i]`` are the route and the patch of the samples whose column ``which`` is ``i``. ``policy`` is the
    policy of the service. ``warm_up`` is the share of the requests (if ``closed``) or of the time that is
    left out. ``client_cpu`` is the share of a core that the client used, ``middleware_ms`` the mean
    milliseconds of a request in all layers of the service's middleware, and ``costs`` the table of
    :meth:`~crisol.loadtest.watch.ProcessWatch.table`, None without one. An answer is *good* if its status is
    200. The figures, NaN if not measured; the last four are missing without ``costs``:

    - ``requests``, ``errors``: the number of requests, and the share of them without a good answer.
    - ``throughput``, ``offered``: good answers a second, and requests a second.
    - ``p50_ms`` to ``max_ms``, ``mean_ms``: latency of the good answers in milliseconds.
    - ``hit_ratio``: the share of the good answers that came from the cache.
    - ``share_cache``, ``share_model`` and the like: shares of the good answers, one for each
      :class:`~crisol.records.Source`.
    - ``cache_hit_p50_ms`` to ``cache_hit_max_ms``: milliseconds from sending to an answer from the cache;
      ``cache_hit_server_ms``: their mean time inside the service.
    - ``wrong_answers``: the number of answers that contradict the verdict or prediction of their patch,
      warm-up included.
    - ``send_lag_p50_ms``, ``send_lag_p99_ms``: how late the client sent the requests, in milliseconds.
    - ``saturated``: 1 if the client was too slow for the load, else 0. It was too slow if it used over
      85 % of a core. In an open loop it was also too slow if, of the requests that the service answered
      within 10 ms, at least 1 % were sent over 10 ms late.
    - ``client_cpu``, ``middleware_ms``: the arguments of these names.
    - ``server_cores``, ``other_cores``: cores that the service, and all else on the machine, kept busy.
    - ``server_memory_mb``: the largest memory of the service, in MiB.
    - ``memory_growth_mb``: the service's mean memory in the last quarter of the load, minus that in the
      second quarter, in MiB.
    """
    frame = samples.sort_values("intended", ignore_index=True)
    frame["route"] = np.array([kinds[which][0] for which in frame["which"]], dtype=object)
    frame["failed"] = frame["status"] != 200
    frame["latency_ms"] = 1e3 * (frame["received"] - frame["intended"])
    frame["service_ms"] = 1e3 * (frame["received"] - frame["sent"])
    frame["lag_ms"] = 1e3 * (frame["sent"] - frame["intended"])
    begin, end = frame["intended"].min(), frame["intended"].max()
    counted = (
        frame.iloc[int(warm_up * len(frame)) :]
        if closed
        else frame[frame["intended"] >= begin + warm_up * (end - begin)]
    ).reset_index(drop=True)
    good = counted[~counted["failed"]]
    hits = good[good["source"] == "cache"]
    span = counted["received"].max() - counted["intended"].min()
    metrics: dict[str, float] = {"requests": float(len(counted))}
    metrics |= percentiles(good["latency_ms"].to_numpy())
    metrics["mean_ms"] = _mean(good["latency_ms"])
    metrics["throughput"] = len(good) / span if span > 0 else float("nan")
    metrics["offered"] = (
        (len(counted) - 1) / (end - counted["intended"].min()) if len(counted) > 1 else float("nan")
    )
    metrics["errors"] = float(counted["failed"].mean())
    metrics["hit_ratio"] = len(hits) / len(good) if len(good) else float("nan")
    for source in Source:
        metrics[f"share_{source}"] = float((good["source"] == source).mean()) if len(good) else float("nan")
    for p, value in percentiles(hits["service_ms"].to_numpy()).items():
        metrics[f"cache_hit_{p}"] = value
    metrics["cache_hit_server_ms"] = _mean(hits["server_ms"])
    metrics["middleware_ms"] = middleware_ms
    metrics["wrong_answers"] = float(wrong(frame, kinds, policy).sum())
    lag = percentiles(counted["lag_ms"].dropna().to_numpy())
    metrics |= {"send_lag_p50_ms": lag["p50_ms"], "send_lag_p99_ms": lag["p99_ms"], "client_cpu": client_cpu}
    metrics["saturated"] = float(client_cpu > _BUSY or (not closed and _late(counted)))
    costs = pd.DataFrame(columns=["time", "cores", "memory_mb", "other_cores"]) if costs is None else costs
    if len(costs):
        window = costs[(costs["time"] >= counted["intended"].min()) & (costs["time"] <= end)]
        metrics["other_cores"] = _mean(window["other_cores"])
        metrics["server_cores"] = _mean(window["cores"])
        metrics["server_memory_mb"] = float(costs["memory_mb"].max())
        metrics["memory_growth_mb"] = _growth(window["memory_mb"].to_numpy(float))
    return LoadResult(counted, metrics, _errors(counted), costs)


def timeline(samples: pd.DataFrame, window: float = 0.0) -> pd.DataFrame:
    """Return the course of a load test: a table with a row for each window of ``window`` seconds.

    ``samples`` is the table of a :class:`LoadResult`. A ``window`` of 0 means 80 windows, each of at least
    0.1 s; a remainder of less than half a window joins the last one. A request belongs to the window of its
    planned start. The columns:

    - ``time``: the middle of the window, in seconds since the first request.
    - ``throughput``, ``errors``: answers with status 200, and all other requests, per second.
    - ``p50_ms``, ``p99_ms``: percentiles of the latency in milliseconds.
    - ``cache``, ``model`` and the like, a column for each :class:`~crisol.records.Source`: answers with
      status 200 of this source, per second.
    """
    start = samples["intended"].min()
    span = samples["intended"].max() - start
    width = window or max(0.1, span / 80)
    count = max(1, round(span / width)) if len(samples) else 0
    bucket = ((samples["intended"] - start) // width).clip(upper=count - 1)
    rows = []
    for number in range(count):
        part = samples[bucket == number]
        seconds = width if number < count - 1 or not span else span - number * width
        good = part[part["status"] == 200]
        latencies = percentiles(good["latency_ms"].to_numpy())
        row = {
            "time": number * width + seconds / 2,
            "throughput": len(good) / seconds,
            "p50_ms": latencies["p50_ms"],
            "p99_ms": latencies["p99_ms"],
            "errors": (len(part) - len(good)) / seconds,
        }
        shares = {str(source): float((good["source"] == source).sum()) / seconds for source in Source}
        rows.append(row | shares)
    return pd.DataFrame(rows)


def _rank(percentile: float, count: int) -> int:
    # The product is rounded first: 99.9 % of 1,000 is a little more than 999 in binary.
    return int(np.ceil(round(percentile / 100 * count, 6))) - 1


def _late(samples: pd.DataFrame) -> bool:
    """Return whether the client was too slow: it began more than 1 % of the requests over 10 ms late."""
    # Only quick answers count: in front of a slow service, requests begin late because they wait for a
    # connection, which is not the client's fault.
    quick = samples[samples["service_ms"] < _LATE_MS]
    return len(quick) > 0 and percentiles(quick["lag_ms"].to_numpy())["p99_ms"] > _LATE_MS


def _errors(samples: pd.DataFrame) -> dict[str, int]:
    failed = samples[samples["failed"]]
    kind = failed["error"].where(failed["status"] == 0, "HTTP " + failed["status"].astype(str))
    return {str(name): int(count) for name, count in kind.value_counts().items()}


def _growth(memory: NDArray[np.float64]) -> float:
    quarter = len(memory) // 4
    if quarter < 1:
        return float("nan")
    return float(memory[-quarter:].mean() - memory[quarter : 2 * quarter].mean())


def _mean(values: pd.Series[float]) -> float:
    return float(values.mean()) if len(values) else float("nan")
