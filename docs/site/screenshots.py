"""Make the pictures of docs/images from a workbench in which `make run` has been.

``python docs/site/screenshots.py`` (``make screenshots``) needs chromium. It draws a verdict, photographs
the live page (light, dark, phone), the latest report and MLflow's compare view, and copies the figures that
README shows from the latest runs.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

import crisol  # noqa: E402
from crisol.tracking import plots  # noqa: E402
from crisol.tracking.store import open_store  # noqa: E402
from support.browser import browsing, open_page  # noqa: E402 - found by the line above

if TYPE_CHECKING:
    from crisol.records import Verdict
    from support.browser import Browser

IMAGES = ROOT / "docs" / "images"
EXAMPLES = ROOT / "data" / "examples"
SHOWN = "arena-zip-slip"
PHASES = (
    "baseline", "apply", "static", "names", "pov", "variants", "checks", "again", "generated_povs",
    "differential",
)  # fmt: skip
COLOURS = {"pass": "#009E73", "fail": "#D55E00", "": "#EEEEEE"}
ASK = """
new Promise((resolve) => {
  document.getElementById("vulnerability").value = ID;
  document.getElementById("diff").value = DIFF;
  document.querySelector("#ask button").click();
  const parts = ["#answer strong", "#health td", "#breakers td", "#accuracy td", "#rungs td", "#trials td"];
  const shown = () => parts.every((part) => document.querySelector(part));
  const settled = () => shown() ? resolve() : setTimeout(settled, 50);
  settled();
})
"""


def verdicts() -> None:
    """Draw the phases of the right and the wrong example."""
    figure, (axis,) = plots.panels(1, width=10.6, height=2.6, title=f"Two patches of {SHOWN}, phase by phase")
    for row, name in enumerate(("wrong", "right")):
        verdict = crisol.wargame(SHOWN, EXAMPLES / f"{name}.diff")
        _row(axis, row, verdict)
        what = f"{verdict.outcome}\n{str(verdict.reason or '').replace('_', ' ')}".strip()
        axis.text(len(PHASES) + 0.1, row, what, va="center", fontsize=10, fontweight="bold")
    axis.set(xlim=(-0.5, len(PHASES) + 1.3), ylim=(-0.6, 1.6))
    axis.set_xticks(range(len(PHASES)), [name.replace("_", "\n") for name in PHASES])
    axis.set_yticks([0, 1], ["wrong.diff", "right.diff"])
    axis.spines[:].set_visible(False)
    axis.tick_params(length=0)
    (IMAGES / "verdict.png").write_bytes(plots.picture(figure, "").png)


def _row(axis: plots.Axes, row: int, verdict: Verdict) -> None:
    results = {str(phase.name): "fail" if phase.reason else "pass" for phase in verdict.phases}
    for column, phase in enumerate(PHASES):
        result = results.get(phase, "")
        axis.barh(row, 0.92, left=column - 0.46, height=0.72, color=COLOURS[result])
        colour = "white" if result else "#777777"
        axis.text(column, row, result or "not run", ha="center", va="center", color=colour, fontsize=9)


def live_page() -> None:
    """Photograph the live page with a decided patch, at a desk and on a phone."""
    with tempfile.TemporaryDirectory() as folder, crisol.serve(ab_test_rate=1.0) as server:
        for patch in sorted((EXAMPLES / "candidates").glob("*.diff")):
            server.decide(SHOWN, patch.read_text(encoding="utf-8"))
        wish = json.dumps((EXAMPLES / "wrong.diff").read_text(encoding="utf-8"))
        asked = ASK.replace("ID", json.dumps(SHOWN)).replace("DIFF", wish)
        for name, scheme, width, height in (
            ("page-light", "light", 1200, 1250),
            ("page-dark", "dark", 1200, 1250),
            ("page-phone", "light", 390, 844),
        ):
            with browsing(Path(folder) / name) as browser:
                session = open_page(browser, f"{server.url}/", scheme)
                _size(browser, session, width, height)
                browser.evaluate(session, asked)
                _photograph(browser, session, name)


def report() -> None:
    """Photograph the top of the latest report."""
    latest = max((ROOT / "mlruns" / "reports").glob("*.html"), key=lambda path: path.stat().st_mtime)
    with tempfile.TemporaryDirectory() as folder, browsing(Path(folder) / "report") as browser:
        session = open_page(browser, latest.as_uri())
        _size(browser, session, 1100, 1350)
        _photograph(browser, session, "report")


def compare_view() -> None:
    """Photograph MLflow's compare view on the variants of the latest comparison."""
    from mlflow import MlflowClient  # noqa: PLC0415 - seconds that the other pictures need not wait for

    client = MlflowClient(open_store(crisol.load_settings()))
    experiment = client.get_experiment_by_name("compare_variants")
    (latest,) = client.search_runs([experiment.experiment_id], "tags.crisol.champion != ''", max_results=1)
    where = f"tags.mlflow.parentRunId = '{latest.info.run_id}'"
    nested = client.search_runs([experiment.experiment_id], where, max_results=7)
    ids = json.dumps([run.info.run_id for run in nested])
    process = subprocess.Popen(
        [sys.executable, "-m", "crisol", "ui", "--port", "5057"], stdout=subprocess.DEVNULL
    )
    try:
        while True:
            try:
                urlopen("http://127.0.0.1:5057/", timeout=5).close()
                break
            except OSError:
                time.sleep(0.5)
        address = (
            f"http://127.0.0.1:5057/#/compare-runs?runs={ids}&experiments=[%22{experiment.experiment_id}%22]"
        )
        with tempfile.TemporaryDirectory() as folder, browsing(Path(folder) / "ui") as browser:
            session = open_page(browser, address.replace('"', "%22").replace(" ", ""))
            _size(browser, session, 1300, 1100)
            time.sleep(10)
            _photograph(browser, session, "mlflow-parallel")
    finally:
        process.terminate()
        process.wait()


def figures() -> None:
    """Copy the figures of the latest runs."""
    for target, name, figure in (
        ("auc", "compare_variants", "auc"),
        ("evidence", "evidence", "known_verdicts"),
    ):
        paths = (ROOT / "mlruns" / "artifacts" / name).glob(f"*/artifacts/figures/{figure}.png")
        if latest := max(paths, key=lambda path: path.stat().st_mtime, default=None):
            shutil.copy(latest, IMAGES / f"{target}.png")


def _size(browser: Browser, session: str, width: int, height: int) -> None:
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.call("Emulation.setDeviceMetricsOverride", session, **size)


def _photograph(browser: Browser, session: str, name: str) -> None:
    shot = browser.call("Page.captureScreenshot", session, format="png")
    (IMAGES / f"{name}.png").write_bytes(base64.b64decode(shot["data"]))


def main() -> None:
    """Make the pictures that are named, or all."""
    makers = (verdicts, live_page, report, compare_view, figures)
    for maker in makers:
        if not sys.argv[1:] or maker.__name__ in sys.argv[1:]:
            print(maker.__name__, flush=True)
            maker()


if __name__ == "__main__":
    main()
