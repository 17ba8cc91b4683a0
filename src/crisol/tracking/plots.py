"""Figures: each function draws one and returns it as a matplotlib ``Figure``.

Nothing goes through pyplot or its global state, so figures can be drawn in any thread and without a display.
Colours are Okabe and Ito's, which colour-blind readers can tell apart (*Color Universal
Design*, 2008), and no meaning rests on colour alone.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from crisol.records import Reason
from crisol.tracking.curves import Curve, pr_curve, reliability_curve, roc_curve
from crisol.tracking.picture import Picture

__all__ = [
    "confusion",
    "curves",
    "forest",
    "labels",
    "picture",
    "reliability",
    "tradeoff",
    "trajectory",
]

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000", "#999999")
STYLES = ("-", "--", "-.", ":")
REASONS: Mapping[str, tuple[str, str]] = {
    "valid": ("#009E73", ""),
    Reason.EXPLOIT_SURVIVES: ("#D55E00", ""),
    Reason.VARIANT_SURVIVES: ("#E69F00", ""),
    Reason.BREAKS_FUNCTION: ("#0072B2", ""),
    Reason.RAISES: ("#56B4E9", ""),
    Reason.DOES_NOT_LOAD: ("#CC79A7", ""),
    Reason.TAMPERS: ("#000000", ""),
    Reason.TIMEOUT: ("#F0E442", ""),
    Reason.UNDEFINED_NAME: ("#CC79A7", "//"),
    Reason.PARTIAL_FIX: ("#E69F00", "//"),
    Reason.DIVERGES_FROM_REFERENCE: ("#0072B2", "//"),
    Reason.MALFORMED: ("#999999", ""),
    Reason.DOES_NOT_APPLY: ("#999999", "//"),
    Reason.BASELINE_FAILED: ("#999999", "xx"),
    Reason.SANDBOX_FAILED: ("#999999", ".."),
}
"""Colour and hatching of each reason, the same in every figure; hatched are those of strict labels alone."""
_PER_ROW = 4
_CROWDED = 40
_Floats = NDArray[np.float64]


def picture(figure: Figure, caption: str, dpi: int = 120) -> Picture:
    """Return a figure as a PNG image with a caption; ``dpi`` is the resolution in dots per inch."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    return Picture(caption, buffer.getvalue())


def confusion(matrices: Mapping[str, tuple[float, float, float, float]], *, unit: str = "patches") -> Figure:
    """Draw a confusion matrix for each model.

    ``matrices`` maps a model's name to the numbers (true positive, false positive, false negative, true
    negative), where positive means that the model predicts valid. ``unit`` says what the numbers count. Below
    each number stands a percentage: 100 % are all patches with the same verdict.
    """
    count = max(len(matrices), 1)
    across, down = min(count, _PER_ROW), math.ceil(count / _PER_ROW)
    width = max(2.3 * across, 3.4)
    figure = Figure(figsize=(width, 2.35 * down + 0.7), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(fill(f"Model against wargame ({unit})", int(9 * width)), fontsize=12)
    axes = list(np.atleast_1d(figure.subplots(down, across)).flat)
    for axis in axes[len(matrices) :]:
        axis.set_axis_off()
    for index, (axis, (name, (tp, fp, fn, tn))) in enumerate(zip(axes, matrices.items(), strict=False)):
        cells = np.array([[tp, fn], [fp, tn]], dtype=float)
        shares = cells / np.where(cells.sum(axis=1, keepdims=True) > 0, cells.sum(axis=1, keepdims=True), 1.0)
        axis.imshow(shares, cmap="Blues", vmin=0, vmax=1.4, aspect="auto")
        notes = (("", "false reject"), ("false accept", ""))
        for (row, column), share in np.ndenumerate(shares):
            text = f"{cells[row, column]:,.0f}"
            axis.text(column, row - 0.12, text, ha="center", va="center", fontsize=12)
            below = f"{share:.0%} {notes[row][column]}".rstrip()
            axis.text(column, row + 0.25, below, ha="center", va="center", fontsize=7.5)
        axis.set_xticks([0, 1], ["valid", "invalid"], fontsize=8)
        axis.set_yticks([0, 1], ["valid", "invalid"], rotation=90, va="center", fontsize=8)
        axis.set_xlabel("model says", fontsize=8)
        axis.set_ylabel("wargame says" if index % _PER_ROW == 0 else "", fontsize=8)
        axis.set_title(name, fontsize=10)
    return figure


def curves(truth: NDArray[np.int_], scores: Mapping[str, NDArray[np.float64]]) -> Figure:
    """Draw ROC curves (left) and precision-recall curves (right), one line for each model.

    ``truth`` (n,) is 1 for a valid patch, 0 for an invalid one; ``scores`` maps a model's name to its
    probabilities of valid (n,).
    """
    figure, (left, right) = panels(
        2, width=4.6, height=3.9, title="How well the models rank patches they were not trained on"
    )
    for index, (name, score) in enumerate(scores.items()):
        style = {
            "color": COLOURS[index % len(COLOURS)],
            "linestyle": STYLES[index % len(STYLES)],
            "label": name,
        }
        line(left, roc_curve(truth, score), style)
        line(right, pr_curve(truth, score), style)
    left.plot([0, 1], [0, 1], color="#777777", linewidth=0.8)
    base = float(np.mean(truth)) if len(truth) else 0.0
    right.axhline(base, color="#777777", linewidth=0.8)
    right.text(0.02, base + 0.015, f"accept everything: {base:.0%}", fontsize=8, color="#555555")
    left.set(xlabel="invalid patches accepted (share)", ylabel="valid patches accepted (share)", title="ROC")
    right.set(
        xlabel="recall (share of valid patches)",
        ylabel="precision (share)",
        title="precision and recall",
        ylim=(0, 1.02),
    )
    legend(right)
    return figure


def reliability(truth: NDArray[np.int_], scores: Mapping[str, NDArray[np.float64]], bins: int = 8) -> Figure:
    """Draw a reliability diagram: the share of valid patches against the predicted probability.

    There is one line for each model; the line of a calibrated model follows the diagonal. ``truth`` (n,) is 1
    for a valid patch, 0 for an invalid one; ``scores`` maps a model's name to its probabilities of valid
    (n,). The patches are sorted by probability and cut into ``bins`` bins of equal size.
    """
    figure, (axis,) = panels(1, width=4.8, height=4.3, title="Do the probabilities mean what they say?")
    axis.plot([0, 1], [0, 1], color="#777777", linewidth=0.8)
    for index, (name, score) in enumerate(scores.items()):
        style = {
            "color": COLOURS[index % len(COLOURS)],
            "linestyle": STYLES[index % len(STYLES)],
            "label": name,
        }
        line(axis, reliability_curve(truth, score, bins), {**style, "marker": "o", "markersize": 4})
    axis.set(xlabel="predicted probability of valid", ylabel="share that was valid", xlim=(0, 1), ylim=(0, 1))
    legend(axis)
    return figure


def labels(frame: pd.DataFrame, by: str = "vulnerability") -> Figure:
    """Draw a bar for each value of the column ``by`` of a corpus table.

    The bar counts the candidates with this value, split by reason; valid candidates are at its start. The
    longest bar is on top.
    """
    reason = frame["reason"].where(frame["reason"].notna() & (frame["reason"] != ""), "valid")
    counts = pd.crosstab(frame[by].astype(str), reason.astype(str))
    counts = counts.loc[counts.sum(axis=1).sort_values(kind="stable").index]
    order = sorted(counts.columns, key=lambda name: (name != "valid", -counts[name].to_numpy().sum()))
    crowded = len(counts) > _CROWDED
    height = 1.6 + (0.15 if crowded else 0.28) * len(counts)
    figure, (axis,) = panels(1, width=8.4, height=height, title=f"Verdicts of the wargame, by {by}")
    left = np.zeros(len(counts))
    for name in order:
        colour, hatch = REASONS[name]
        axis.barh(
            counts.index,
            counts[name],
            left=left,
            color=colour,
            hatch=hatch,
            edgecolor="white",
            linewidth=0.5,
            label=name.replace("_", " "),
        )
        left += counts[name].to_numpy()
    axis.tick_params("y", labelsize=6 if crowded else 9)
    axis.margins(y=0.01)
    axis.set(xlabel="candidate patches", ylabel=by)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend(axis)
    return figure


def forest(
    rows: Sequence[tuple[str, float, float, float]], *, what: str, reference: float | None = None
) -> Figure:
    """Draw estimates with their 95 % intervals, one below the other (a forest plot).

    ``rows`` are (name, estimate, low end, high end), the first one on top; the ends are NaN without an
    interval. ``what`` is the text at the axis. ``reference`` is the value at which a vertical line is drawn,
    None for no line.
    """
    title = f"{what}, with 95 % intervals" if any(low < high for _, _, low, high in rows) else what
    figure, (axis,) = panels(1, width=6.8, height=1.3 + 0.34 * len(rows), title=title)
    for index, (name, value, low, high) in enumerate(reversed(rows)):
        axis.plot([low, high], [index, index], color=COLOURS[0], linewidth=2, solid_capstyle="butt")
        axis.plot([value], [index], marker="D", color=COLOURS[5], markersize=6)
        axis.annotate(
            f"{value:.3f}", (value, index), xytext=(0, 7), textcoords="offset points", ha="center", fontsize=8
        )
        axis.text(
            -0.02, index, name, transform=axis.get_yaxis_transform(), ha="right", va="center", fontsize=9
        )
    if reference is not None:
        axis.axvline(reference, color="#777777", linewidth=0.8, linestyle="--")
    axis.set_yticks([])
    axis.set_ylim(-0.6, len(rows) - 0.2)
    axis.set_xlabel(what)
    return figure


def trajectory(frame: pd.DataFrame, *, what: str = "accuracy (share)") -> Figure:
    """Draw an estimate with its interval against the number of trials, one line for each arm.

    ``frame`` has the columns ``arm`` (name), ``trials`` (their number so far), ``estimate``, and the ends
    ``low`` and ``high`` of the interval. ``what`` names the estimate and its unit.
    """
    figure, (axis,) = panels(1, width=7.4, height=3.8, title=f"{what[0].upper()}{what[1:]} as trials arrive")
    for index, (arm, part) in enumerate(frame.groupby("arm", sort=True)):
        colour, style = COLOURS[index % len(COLOURS)], STYLES[index % len(STYLES)]
        axis.fill_between(part["trials"], part["low"], part["high"], color=colour, alpha=0.18, linewidth=0)
        axis.plot(part["trials"], part["estimate"], color=colour, linestyle=style, label=str(arm))
    axis.set(xlabel="trials", ylabel=what, ylim=(0, 1.02))
    if len(frame):
        legend(axis)
    return figure


def tradeoff(
    frontiers: Mapping[str, pd.DataFrame], coverage: Mapping[str, tuple[_Floats, _Floats]], bound: float
) -> Figure:
    """Draw the errors of models that skip wargames, in two plots with one line for each model.

    Left: x is the share of patches whose wargame is skipped, y the share of those patches that are wrongly
    accepted. Right: a model decides the share x of the patches, those of which it is most confident; y is its
    error rate on them. Both mappings have the models' names as keys. ``frontiers`` holds tables with the
    columns ``skipped`` and ``false_accepts_of_skipped``, as :func:`crisol.lab.frontier.frontier` returns
    them; ``coverage`` holds the arrays (x, y) of the right plot. A line in the left plot shows ``bound``, the
    share of wrongly accepted patches that is allowed. A star there marks an aim that no policy reached yet:
    .8 skipped, and .02 of these wrongly accepted.
    """
    figure, (left, right) = panels(2, width=4.6, height=3.9, title="What skipping wargames would have cost")
    for index, (name, frame) in enumerate(frontiers.items()):
        style = {
            "color": COLOURS[index % len(COLOURS)],
            "linestyle": STYLES[index % len(STYLES)],
            "label": name,
        }
        line(
            left,
            Curve(frame["skipped"].to_numpy(float), frame["false_accepts_of_skipped"].to_numpy(float)),
            style,
        )
        line(right, Curve(*coverage[name]), style)
    left.axhline(bound, color="#777777", linewidth=0.8, linestyle="--")
    left.plot([0.8], [0.02], marker="*", color="#000000", markersize=9, linestyle="none")
    left.annotate("aim", (0.8, 0.02), xytext=(4, 4), textcoords="offset points", fontsize=8)
    left.set(xlabel="wargames skipped (share)", ylabel="wrongly accepted, of these (share)", xlim=(0, 1))
    right.set(xlabel="patches decided, surest first (share)", ylabel="wrong, of these (share)", xlim=(0, 1))
    legend(right)
    return figure


def panels(count: int, *, width: float, height: float, title: str) -> tuple[Figure, list[Axes]]:
    """Return a figure with ``count`` plots in a row, and the axes of each plot.

    Each plot is ``width`` by ``height`` inches; ``title`` is the figure's title.
    """
    figure = Figure(figsize=(width * count, height), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=12)
    axes = list(np.atleast_1d(figure.subplots(1, count)))
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axes


def line(axis: Axes, curve: Curve, style: Mapping[str, object]) -> None:
    """Draw a curve on the axes ``axis``; ``style`` holds matplotlib's keywords, such as ``color``."""
    axis.plot(curve.x, curve.y, **style)  # type: ignore[arg-type]  # matplotlib types each keyword on its own


def legend(axis: Axes) -> None:
    """Draw the legend of the axes ``axis`` to the right of the plot, so that it covers no line."""
    axis.legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
