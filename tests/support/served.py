"""What tests of the ML-first path and of the service are given.

A small trained model, and patches of one real flaw.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from crisol.model import serving
from crisol.model.predictor import Predictor
from crisol.model.training import train
from crisol.model.variants import load_variants
from support.model_data import patches, small

ROOT = Path(__file__).parents[2]
VULNERABILITIES = ROOT / "data" / "vulnerabilities"
FLAW = "arena-sort-arguments"
PATCHES = VULNERABILITIES / "arena" / FLAW / "patches"


@cache
def model_folder() -> Path:
    """Return the folder of a compiled forest, trained once a session on patches made up by rule."""
    folder = Path(mkdtemp(prefix="crisol-model-"))
    variant = load_variants(ROOT / "experiments" / "variants.yaml")["lightgbm"]
    serving.export(train(small(variant), patches(30, 4), seed=0), folder)
    return folder


@cache
def predictor() -> Predictor:
    """Return that model, ready to predict."""
    return Predictor.load(model_folder())


def right() -> str:
    """Return a diff that closes the flaw."""
    return (PATCHES / "reference.diff").read_text()


def wrong(number: int = 0) -> str:
    """Return a diff that sets an unused name: another program for each number; the exploit survives."""
    path = next((PATCHES.parent / "target").rglob("*.py"))
    name = path.relative_to(PATCHES.parent / "target").as_posix()
    first = path.read_text().splitlines()[0]
    return f"--- a/{name}\n+++ b/{name}\n@@ -1 +1,2 @@\n {first}\n+CLOSED = {number}\n"


def idle() -> str:
    """Return a diff that changes nothing but a comment."""
    return wrong().replace("CLOSED = 0", "# closed")


def foreign(number: int = 0) -> str:
    """Return a diff of a file that belongs to no registered vulnerability."""
    return f"--- a/pkg/mod.py\n+++ b/pkg/mod.py\n@@ -1 +1,2 @@\n def f(path):\n+    check(path, {number})\n"
