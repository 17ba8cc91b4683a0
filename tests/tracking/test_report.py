from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from crisol.records import Reason
from crisol.tracking import plots
from crisol.tracking.curves import pr_curve, reliability_curve, roc_curve
from crisol.tracking.picture import Picture
from crisol.tracking.report import Conclusion, Disagreement, Report, Section, provenance, render, sheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HOSTILE = """--- a/x.py
+++ b/x.py
@@ -1 +1 @@
-x = 1
+x = "</pre><script>alert(1)</script>" + '{{ 7*7 }}' "><img src=//evil onerror=alert(2)>"
"""


def _report(diff: str = HOSTILE) -> Report:
    frame = pd.DataFrame({"variant": ["<b>forest</b>"], "auc": [0.8125], "missing": [float("nan")]})
    picture = Picture('a "quoted" <caption>', b"\x89PNG\r\n\x1a\n")
    return Report(
        title="Crisol & <co>",
        conclusion=Conclusion(("<u>One</u> run.",), (("34 %", "are <s>right</s>"),), picture),
        sections=[Section("Variants", "Read it so.", (sheet(frame, "The variants"),), (picture,))],
        disagreements=[Disagreement("cve-1", "<i>m1</i>", "0.91", "exploit_survives", "false accept", diff)],
        provenance=provenance({"content hash": "abc"}, ["crisol demo --seed 0"]),
    )


class _Page(HTMLParser):
    """Collects what a browser would see: the tags, what they would load, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.handlers: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [value or "" for name, value in attrs if name in {"src", "href"}]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.text += data


def _read(html: str) -> _Page:
    page = _Page()
    page.feed(html)
    return page


def test_a_hostile_diff_is_shown_and_never_becomes_markup() -> None:
    page = _read(render(_report()))
    assert not {"script", "b", "i", "co", "u", "s", "caption>"} & set(page.tags)
    assert page.handlers == []
    assert "x = \"</pre><script>alert(1)</script>\" + '{{ 7*7 }}'" in page.text


def test_the_page_loads_nothing_from_anywhere() -> None:
    html = render(_report())
    page = _read(html)
    assert page.loads
    assert all(load.startswith(("data:image/png;base64,", "#")) for load in page.loads)
    assert not re.findall(r"url\(|@import", html)
    assert "default-src 'none'" in html


def test_tables_and_pictures_can_be_read_aloud() -> None:
    html = render(_report())
    assert html.count("<caption>") == html.count("<table>") == 2
    assert 'scope="col"' in html
    assert 'scope="row"' in html
    assert 'alt="a &#34;quoted&#34; &lt;caption&gt;"' in html
    assert "prefers-color-scheme: dark" in html


def test_a_missing_number_is_an_empty_cell_and_others_have_three_decimals() -> None:
    table = sheet(pd.DataFrame({"a": [0.81249, float("nan")], "n": [3, 4], "t": ["x", None]}), "c")
    assert table.rows == (("0.812", "3", "x"), ("", "4", ""))
    assert table.numeric == {0, 1}


def test_a_long_diff_is_cut_and_says_so() -> None:
    html = render(_report("+x\n" * 1000))
    assert "(600 more lines)" in html


def test_provenance_names_versions_and_commands() -> None:
    rows = dict(provenance({"seed": "3"}, ["crisol demo --seed 3"]).rows)
    assert rows["seed"] == "3"
    assert rows["command"] == "crisol demo --seed 3"
    assert rows["scikit-learn"]


_TRUTH = np.array([1, 0, 1, 0, 1, 0, 1, 1])
_SCORES = {"good": np.array([0.9, 0.2, 0.8, 0.1, 0.7, 0.3, 0.6, 0.95]), "flat": np.full(8, 0.5)}
_FRAME = pd.DataFrame(
    {
        "vulnerability": ["a", "a", "b", "b"],
        "origin": ["hand", "mutant", "hand", "mutant"],
        "reason": ["", "exploit_survives", "", "timeout"],
    }
)
_PATH = pd.DataFrame(
    {
        "arm": ["m"] * 3,
        "trials": [1, 2, 3],
        "estimate": [1.0, 0.5, 0.7],
        "low": [0.2, 0.1, 0.2],
        "high": [1, 0.9, 0.9],
    }
)


def test_a_figure_without_an_interval_promises_none() -> None:
    alone = plots.forest([("m", 0.8, float("nan"), float("nan"))], what="AUC")
    between = plots.forest([("m", 0.8, 0.6, 0.9)], what="AUC")
    assert (alone.get_suptitle(), between.get_suptitle()) == ("AUC", "AUC, with 95 % intervals")


@pytest.mark.parametrize(
    "figure",
    [
        plots.confusion({"m": (3, 1, 0, 4), "empty": (0, 0, 0, 0)}),
        plots.confusion({}),
        plots.curves(_TRUTH, _SCORES),
        plots.curves(np.ones(8, dtype=int), _SCORES),
        plots.reliability(_TRUTH, _SCORES),
        plots.labels(_FRAME),
        plots.labels(_FRAME, by="origin"),
        plots.forest(
            [("m", 0.8, 0.6, 0.9), ("n", float("nan"), float("nan"), float("nan"))], what="AUC", reference=0.5
        ),
        plots.trajectory(_PATH),
        plots.trajectory(_PATH.iloc[:0]),
    ],
)
def test_every_figure_says_what_is_seen_and_names_its_axes(figure: Figure) -> None:
    """Also with one class, no trial or nothing at all, which small runs do produce."""
    assert figure.get_suptitle()
    picture = plots.picture(figure, "what it shows", dpi=50)
    assert picture.png.startswith(b"\x89PNG")
    assert all(axis.get_xlabel() for axis in figure.axes if axis.has_data())


def test_each_reason_has_one_look_in_every_figure() -> None:
    """Colour and hatching together tell any two apart."""
    assert set(plots.REASONS) == {"valid", *Reason}
    assert len(set(plots.REASONS.values())) == len(plots.REASONS)


def test_every_vulnerability_is_drawn() -> None:
    frame = pd.DataFrame({"vulnerability": [f"v{n}" for n in range(70)], "reason": "timeout"})
    (axis,) = plots.labels(frame).axes
    assert len(axis.get_yticklabels()) == 70


def test_confusion_matrices_stand_four_in_a_row() -> None:
    figure = plots.confusion({f"m{n}": (3, 1, 0, 4) for n in range(7)})
    assert figure.get_figwidth() < 10


def test_drawing_leaves_no_global_figure() -> None:
    from matplotlib import _pylab_helpers  # noqa: PLC0415 - what pyplot itself keeps its figures in

    plots.picture(plots.curves(_TRUTH, _SCORES), "c", dpi=50)
    assert _pylab_helpers.Gcf.figs == {}


def test_curves_end_where_they_must() -> None:
    roc = roc_curve(_TRUTH, _SCORES["good"])
    assert (roc.x[0], roc.y[0], roc.x[-1], roc.y[-1]) == (0, 0, 1, 1)
    assert pr_curve(_TRUTH, _SCORES["good"]).x[0] == 1
    assert len(roc_curve(np.ones(8, dtype=int), _SCORES["good"]).x) == 0


def test_reliability_bins_hold_everybody_once() -> None:
    curve = reliability_curve(_TRUTH, _SCORES["good"], bins=4)
    assert curve.y.mean() == pytest.approx(_TRUTH.mean())
    assert list(curve.x) == sorted(curve.x)
    assert len(reliability_curve(_TRUTH[:2], _SCORES["good"][:2], bins=8).x) == 2
