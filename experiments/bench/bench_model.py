"""Measure one prediction, from text to probability, as it is served and by plain scikit-learn.

Prints medians of CPU time and their ratios, so that a busy machine changes little; run it with
``OMP_NUM_THREADS=1``.
"""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from statistics import median
from time import process_time

from crisol.diff import parse
from crisol.model.predictor import Predictor
from crisol.model.serving import export
from crisol.model.training import train
from crisol.model.variants import load_variants
from crisol.records import LabelledPatch

ROOT = Path(__file__).parents[2]
REPEATS = 150


def corpus() -> list[LabelledPatch]:
    """Return every diff of the vulnerabilities at hand, those named reference as right ones."""
    return [
        LabelledPatch(str(p), p.parts[-3], p.parts[-3], int(p.stem == "reference"), p.read_text())
        for p in sorted(ROOT.glob("data/vulnerabilities/*/*/patches/*.diff"))
    ]


def of_size(lines: list[str], size: int, rng: random.Random) -> str:
    """Return a diff of ``size`` bytes, made of real lines."""
    body: list[str] = []
    at = rng.randrange(len(lines))
    while sum(map(len, body)) + len(body) < size:
        body.append(rng.choice("+- ") + lines[(at + len(body)) % len(lines)])
    old, new = (sum(line[0] != tag for line in body) for tag in "+-")
    return f"--- a/x.py\n+++ b/x.py\n@@ -1,{old} +1,{new} @@\n" + "\n".join(body) + "\n"


def seconds(predictor: Predictor, diffs: list[str]) -> float:
    """Return the median seconds of CPU time from the diff's text to the probability."""
    durations = []
    for text in diffs:
        start = process_time()
        predictor.predict(parse(text), "CWE-79")
        durations.append(process_time() - start)
    return median(durations)


def main() -> None:
    """Measure every kind of variant at 2 kB and at 20 kB, as it is served and by scikit-learn."""
    rng = random.Random(0)
    patches = corpus()
    lines = [
        line[1:]
        for patch in patches
        for line in patch.diff.splitlines()
        if line[:1] in {"+", "-", " "} and line[:3] not in {"+++", "---"}
    ]
    print(f"{'variant':<14}{'diff':>7}{'form':>14}{'a patch':>12}{'scikit-learn takes':>20}")
    for name in ("boosting", "lightgbm", "rich_forest", "extra_trees", "text_linear", "stack"):
        model = train(load_variants(ROOT / "experiments" / "variants.yaml")[name], patches, seed=0)
        with tempfile.TemporaryDirectory() as folder:
            export(model, Path(folder))
            forms = [Predictor.load(folder), Predictor(model)]
        for size in (2_000, 20_000):
            diffs = [of_size(lines, size, rng) for _ in range(REPEATS)]
            taken = [seconds(predictor, diffs) for predictor in forms]
            for predictor, duration in zip(forms, taken, strict=True):
                print(
                    f"{name:<14}{size // 1000:>4} kB{predictor.form:>14}{duration * 1e3:>9.3f} "
                    f"ms{taken[-1] / duration:>18.1f} x"
                )


if __name__ == "__main__":
    main()
