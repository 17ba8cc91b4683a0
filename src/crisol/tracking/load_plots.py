"""Figures about a service under load: its latency, its throughput, and rate limits that adapt.

The style is that of :mod:`crisol.tracking.plots`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from crisol.records import Source
from crisol.tracking.curves import Curve
from crisol.tracking.plots import COLOURS, STYLES, legend, line, panels

__all__ = ["adaptation", "latency_over_time", "saturation", "slowest"]


def adaptation(frame: pd.DataFrame, begins: float, ends: float, target: float) -> Figure:
    """Draw latency, refused requests and granted share over time, with a curve for each rate limit.

    ``frame`` comes from :func:`crisol.lab.adaptive.compare`. It has one row for each rate limit and each
    second of the test. Its columns are ``limit`` (at most four names), ``second``, ``p95`` (latency in
    seconds), ``refused`` (the number of refused requests) and ``share`` (the part of its configured rate that
    a limit grants). The server is slow from ``begins`` to ``ends``, in seconds of the test; this span is
    shaded. ``target`` is the latency in seconds that the adaptive limit aims at.
    """
    figure, axes = panels(3, width=4.4, height=3.6, title="What a limit does while the server is slow")
    shown = (
        ("p95", "95th percentile of latency (s)"),
        ("refused", "refused (a second)"),
        ("share", "granted share"),
    )
    for axis, (column, name) in zip(axes, shown, strict=True):
        axis.axvspan(begins, ends, color="#DDDDDD", linewidth=0)
        for index, (limit, part) in enumerate(frame.groupby("limit", sort=False)):
            axis.plot(
                part["second"],
                part[column],
                color=COLOURS[index],
                linestyle=STYLES[index],
                label=str(limit),
            )
        axis.set(xlabel="second", title=name)
    axes[0].axhline(target, color="#777777", linewidth=0.8, linestyle=":")
    axes[0].set_yscale("log")
    axes[2].set_ylim(0, 1.05)
    legend(axes[2])
    return figure


def slowest(frame: pd.DataFrame, bounds: Mapping[str, tuple[float, float]]) -> Figure:
    """Draw latency (ms) by percentile; the axis of percentiles gives most room to the slowest requests.

    ``frame`` comes from :func:`crisol.loadtest.result.distribution`; it has the columns ``one_in`` (100 means
    that one request in 100 is slower) and ``latency_ms``. ``bounds`` maps the text of a load target to
    (percentile, ms), for instance ``p95_ms < 100`` to (95, 100). Each of these pairs is drawn as a mark. A
    percentile in ``bounds`` must be below 100.
    """
    figure, (axis,) = panels(1, width=7.4, height=3.9, title="Latency by percentile, from the intended start")
    axis.plot(frame["one_in"], frame["latency_ms"], color=COLOURS[0])
    for name, (percentile, value) in bounds.items():
        axis.plot([1 / (1 - percentile / 100)], [value], marker="v", color=COLOURS[5], linestyle="none")
        axis.annotate(
            name, (1 / (1 - percentile / 100), value), xytext=(6, 2), textcoords="offset points", fontsize=8
        )
    axis.set(xscale="log", yscale="log", xlabel="percentile", ylabel="latency (ms)")
    most = float(frame["one_in"].max()) if len(frame) else 10.0
    marks = [(1, "0"), (2, "50"), (10, "90"), (100, "99"), (1e3, "99.9"), (1e4, "99.99"), (1e5, "99.999")]
    marks = [(at, name) for at, name in marks if at <= max(most, 100.0)]
    axis.set_xticks([at for at, _ in marks], [name for _, name in marks])
    axis.minorticks_off()
    return figure


def latency_over_time(frame: pd.DataFrame, spans: Sequence[tuple[float, float, str]] = ()) -> Figure:
    """Draw the course of a load test in two plots, one below the other.

    The upper plot shows latency. The lower plot shows the answers per second, by source, and the failed
    requests per second; a source without an answer is left out. ``frame`` comes from
    :func:`crisol.loadtest.result.timeline`. It has the columns ``time`` (seconds), ``p50_ms`` and ``p99_ms``
    (latency), ``errors`` (failed requests a second), and one for each :class:`~crisol.records.Source`, such
    as ``cache`` (answers a second from this source).
    ``spans`` are events as (start, end, name), in seconds; bars above the plots show them, in one row for
    each name. The time of the first event is shaded in both plots.
    """
    names = list(dict.fromkeys(name for _, _, name in spans))
    lanes = 0.22 * len(names)
    figure = Figure(figsize=(8.2, 5.2 + lanes), layout="constrained")
    FigureCanvasAgg(figure)
    *top, upper, lower = figure.subplots(
        2 + bool(names), 1, sharex=True, height_ratios=[*([lanes] if names else []), 2.5, 2.5]
    )
    for axis in top:
        for start, end, name in spans:
            colour = COLOURS[5] if name == names[0] else "#777777"
            axis.barh(names.index(name), max(end - start, 0.1), left=start, height=0.7, color=colour)
        axis.set_yticks(range(len(names)), names, fontsize=8)
        axis.invert_yaxis()
        axis.spines[["top", "right", "bottom", "left"]].set_visible(False)
        axis.tick_params(length=0)
    for index, name in enumerate(("p50_ms", "p99_ms")):
        upper.plot(frame["time"], frame[name], color=COLOURS[index], linestyle=STYLES[index], label=name[:-3])
    upper.set(yscale="log", ylabel="latency (ms)", title="Latency from the intended start")
    upper.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    upper.yaxis.set_major_formatter(_plain)
    upper.yaxis.set_minor_formatter("")
    colours = {source: COLOURS[index] for source, index in zip(Source, (4, 0, 6, 8, 2, 1, 3), strict=True)}
    sources = [source for source in Source if frame[source].any()]
    if sources:
        lower.stackplot(
            frame["time"],
            [frame[source] for source in sources],
            labels=sources,
            colors=[colours[source] for source in sources],
            step="mid",
        )
    lower.step(frame["time"], frame["errors"], where="mid", color=COLOURS[5], linewidth=1.6, label="failed")
    lower.set(ylabel="a second", xlabel="seconds", title="Answers by source, and failures", ylim=(0, None))
    for axis in (upper, lower):
        axis.spines[["top", "right"]].set_visible(False)
        for start, end, _ in spans[:1]:
            axis.axvspan(start, end, color="#e8e8e8", zorder=0, linewidth=0)
        legend(axis)
    return figure


def _plain(value: float, _: int) -> str:
    return f"{value:g}"


def saturation(frame: pd.DataFrame) -> Figure:
    """Draw answers against requests per second (left), and latency against answers per second (right).

    ``frame`` is the table ``saturation`` of :class:`crisol.loadtest.study.LoadMeasurement`, with the columns
    ``rate`` (requests a second), ``throughput`` (answers a second), ``p50_ms`` and ``p99_ms`` (latency).
    """
    figure, (left, right) = panels(2, width=4.4, height=3.6, title="Until where it keeps up")
    left.plot([0, frame["rate"].max()], [0, frame["rate"].max()], color="#777777", linewidth=0.8)
    left.plot(frame["rate"], frame["throughput"], color=COLOURS[0], marker="o", markersize=4)
    left.set(xlabel="requests a second", ylabel="answers a second", ylim=(0, None))
    for index, name in enumerate(("p50_ms", "p99_ms")):
        style = {"color": COLOURS[index], "linestyle": STYLES[index], "marker": "o", "markersize": 4}
        line(
            right,
            Curve(frame["throughput"].to_numpy(float), frame[name].to_numpy(float)),
            {**style, "label": name[:-3]},
        )
    right.set(xlabel="answers a second", ylabel="latency (ms)", yscale="log")
    legend(right)
    return figure
