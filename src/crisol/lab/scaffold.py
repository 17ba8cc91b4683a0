"""Write the files of a new experiment from templates: notebook, experiment file and test."""

from __future__ import annotations

import re
from pathlib import Path
from string import Template

from crisol.errors import CannotCreate, ExperimentError
from crisol.lab.pairing import paired

__all__ = ["new_experiment"]

_NOTEBOOK = Template("""# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # $title: how well does a model tell right patches from wrong ones?
#
# Replace this text by what you want to know, and why. The table below has one row for each labelled patch.

# %% tags=["parameters"]
seed = 0
run_id = ""
corpus: str = ""  # path of a corpus table; empty: execute three small programs now
variant: str = "lightgbm"  # a name of experiments/variants.yaml
folds: int = 3  # of the cross-validation, which splits no vulnerability

# %%
import crisol
from crisol.lab import ground_truth
from crisol.model.dataset import from_table
from crisol.tracking import runs
from crisol.wargaming.corpus import content_hash

settings = crisol.load_settings()
run = runs.join(settings, run_id, "$name")
frame = ground_truth.open_corpus(settings, corpus, seed)
run.input("corpus", frame, content_hash(frame), corpus or "smoke")
frame.head()

# %% [markdown]
# ## What was measured?
#
# On a few vulnerabilities this proves that everything runs; the figures mean nothing yet.

# %%
patches = from_table(frame)
result = crisol.evaluate(patches, variant, seed=seed, folds=folds)
run.metrics({"auc": result.auc, "patches": result.n})
result.summary()

# %%
run.finish()
""")

_EXPERIMENT = Template("""version: 1
question: "$title: how well does a model tell right patches from wrong ones?"
notebook: notebooks/$stem.py
seed: 0
parameters:
  variant: lightgbm
""")

_TEST = Template('''"""The experiment $name runs at its smoke size and logs its figures."""

from pathlib import Path

from mlflow import MlflowClient

from crisol import load_settings
from crisol.lab import papermill
from crisol.lab.experiment import load_experiment
from crisol.tracking.store import open_store

ROOT = Path(__file__).parents[2]


def test_$name(tmp_path, monkeypatch):
    """In a workbench of its own, so that the runs of your own stay as they are."""
    for name in ("data", "experiments", "notebooks"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.setenv("CRISOL_ROOT", str(tmp_path))
    settings = load_settings()
    experiment = load_experiment(ROOT / "experiments" / "$name.yaml")
    finished = papermill.run(experiment, {}, settings, progress=False)
    metrics = MlflowClient(open_store(settings)).get_run(finished.run_id).data.metrics
    assert 0.0 <= metrics["auc"] <= 1.0
''')


def new_experiment(root: Path, name: str) -> list[Path]:
    """Write the files of a new experiment from templates, and return their paths.

    They are a notebook (``.py`` and ``.ipynb``), an experiment file and a test, below the folder ``root``.
    ``name`` is a Python name in lower case, such as ``longer_diffs``; the notebook gets the next free number.
    Raises :class:`~crisol.errors.ExperimentError` if ``name`` has another form, or if an experiment or
    notebook of that name exists already, and :class:`~crisol.errors.CannotCreate` where a file cannot be
    written.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,60}", name):
        raise ExperimentError(f"{name!r} is no name for an experiment; write it as longer_diffs")
    notebooks, experiments, tests = root / "notebooks", root / "experiments", root / "tests" / "experiments"
    taken = [path for path in notebooks.glob("*.py") if path.stem.partition("_")[2] == name]
    if taken or (experiments / f"{name}.yaml").exists():
        raise ExperimentError(f"there is an experiment {name!r} already; choose another name")
    numbers = [int(path.stem[:2]) for path in notebooks.glob("[0-9][0-9]_*.py")]
    stem = f"{max(numbers, default=0) + 1:02d}_{name}"
    words = {"name": name, "stem": stem, "title": name.replace("_", " ").capitalize()}
    source = notebooks / f"{stem}.py"
    written = {
        source: _NOTEBOOK.substitute(words),
        experiments / f"{name}.yaml": _EXPERIMENT.substitute(words),
        tests / f"test_{name}.py": _TEST.substitute(words),
    }
    try:
        for path, text in written.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        source.with_suffix(".ipynb").write_text(paired(source), encoding="utf-8")
    except OSError as error:
        raise CannotCreate(f"{error.filename}: {error.strerror}") from None
    return [source, source.with_suffix(".ipynb"), *list(written)[1:]]
