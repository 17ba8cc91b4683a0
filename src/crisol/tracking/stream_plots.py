"""The figures of streams: known verdicts, wargames until the first valid patch, a poisoned memory."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from crisol.tracking.curves import Curve
from crisol.tracking.plots import COLOURS, STYLES, legend, line, panels

__all__ = ["first_valid", "known_verdicts", "poisoned"]

_Floats = NDArray[np.float64]


def known_verdicts(frame: pd.DataFrame, coverage: Mapping[str, tuple[_Floats, _Floats]]) -> Figure:
    """Draw three plots of how earlier verdicts on a vulnerability help: AUC, skipped wargames, errors.

    The left plot shows AUCs, the middle plot the share of wargames skipped; both against the number of
    earlier verdicts. Both are drawn from ``frame``, the table ``by_known`` of
    :class:`crisol.lab.evidence.Measured`. Its column ``known`` is the number of earlier verdicts. ``auc`` is
    the AUC of the memory, ``auc_low`` and ``auc_high`` are the ends of its 95 % interval. ``auc_cold``,
    ``auc_nearest_neighbour`` and ``auc_mean_label`` are the AUCs of the cold model, the nearest neighbour and
    the mean label. ``skipped`` is a share.

    The right plot shows the error rate (y) against the share of patches that are decided, the most confident
    ones first (x). ``coverage`` maps the names of at most four lines to their arrays (x, y).
    """
    figure, (left, middle, right) = panels(3, width=4.0, height=3.8, title="What known verdicts are worth")
    known = frame["known"].to_numpy(float)
    if len(frame):
        left.fill_between(
            known, frame["auc_low"], frame["auc_high"], color=COLOURS[0], alpha=0.18, linewidth=0
        )
    names = {"memory": "auc", "cold model": "auc_cold", "nearest neighbour": "auc_nearest_neighbour"}
    for index, (name, column) in enumerate((names | {"mean label": "auc_mean_label"}).items()):
        style = {"color": COLOURS[index], "linestyle": STYLES[index], "label": name, "marker": "o"}
        line(left, Curve(known, frame[column].to_numpy(float)), {**style, "markersize": 3})
    left.axhline(0.5, color="#777777", linewidth=0.8, linestyle="--")
    left.set(xlabel="known verdicts", ylabel="AUC", ylim=(None, 1.0))
    legend(left)
    middle.plot(known, frame["skipped"], color=COLOURS[0], marker="o", markersize=3)
    middle.set(xlabel="known verdicts", ylabel="wargames skipped by the ladder (share)", ylim=(0, 1))
    for axis in (left, middle):
        axis.set_xscale("symlog", base=2, linthresh=1)
        axis.set_xticks(known, [f"{number:g}" for number in known])
        axis.set_xlim(left=-0.2)
    for index, (name, (covered, errors)) in enumerate(coverage.items()):
        style = {"color": COLOURS[index], "linestyle": STYLES[index], "label": name}
        line(right, Curve(covered, errors), style)
    right.set(xlabel="coverage, the surest first (share)", ylabel="errors among them (share)", xlim=(0, 1))
    legend(right)
    return figure


def first_valid(frame: pd.DataFrame) -> Figure:
    """Draw the share of vulnerabilities for which a valid patch was found, against the number of wargames.

    ``frame`` comes from :func:`crisol.lab.first_valid.found_by`. Its column ``wargames`` is the x of all
    lines. Each other column (at most four) is drawn as a line; its name says in which order candidates are
    wargamed.
    """
    figure, (axis,) = panels(1, width=6.4, height=3.8, title="Until the first valid patch")
    for index, name in enumerate(name for name in frame.columns if name != "wargames"):
        style = {"color": COLOURS[index], "linestyle": STYLES[index], "marker": "o", "markersize": 3}
        line(
            axis,
            Curve(frame["wargames"].to_numpy(float), frame[name].to_numpy(float)),
            {**style, "label": name},
        )
    axis.set(
        xlabel="wargames of a vulnerability", ylabel="vulnerabilities with one found (share)", ylim=(0, 1.02)
    )
    legend(axis)
    return figure


def poisoned(frame: pd.DataFrame, clean: pd.DataFrame, begins: int, alarm: int | None) -> Figure:
    """Draw the share of errors among recent decisions, with and without false verdicts in the memory.

    ``frame`` (with false verdicts) and ``clean`` (without) have the columns ``arrival`` (number of patches so
    far) and ``share`` (of errors among the last 100 decisions). ``begins`` is the arrival from which on false
    verdicts were stored. ``alarm`` is the arrival of the first alarm, None for no alarm.
    """
    figure, (axis,) = panels(1, width=7.4, height=3.6, title="A memory that is poisoned halfway")
    for index, (name, part) in enumerate({"poisoned": frame, "clean": clean}.items()):
        style = {"color": COLOURS[index], "linestyle": STYLES[index], "label": name}
        line(axis, Curve(part["arrival"].to_numpy(float), part["share"].to_numpy(float)), style)
    axis.axvline(begins, color="#777777", linewidth=1.0, linestyle="--", label="poison")
    if alarm is not None:
        axis.axvline(alarm, color="#cc0000", linewidth=1.0, label="alarm")
    axis.set(xlabel="arrivals", ylabel="errors among the last 100 decisions (share)", ylim=(0, None))
    legend(axis)
    return figure
