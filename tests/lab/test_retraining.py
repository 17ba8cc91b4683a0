from __future__ import annotations

import datetime as dt
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from crisol import cli
from crisol.abtest.patches import PatchStore
from crisol.abtest.trial import observe
from crisol.config import load_settings
from crisol.diff import parse
from crisol.errors import DatasetError, DiffError, ExperimentError
from crisol.lab.promotion import not_worse
from crisol.lab.retraining import Gathered, RetrainingDesign, labelled, retrain
from crisol.model import scores
from crisol.model.risk import least
from crisol.records import LabelledPatch, Outcome, Prediction, Reason, Trial
from crisol.tracking import models, runs
from crisol.tracking.registry import CHALLENGER
from crisol.wargaming.corpus import COLUMNS, save_table
from crisol.wiring import open_trials
from support.model_data import patches

DIFF = "--- a/x.py\n+++ b/x.py\n@@ -1 +1,2 @@\n a = 1\n+b = 2\n"
NOTHING_KNOWN = pd.DataFrame(columns=["vulnerability", "id", "project", "diff"])


VARIANTS = """version: 1
variants:
  small: {description: A forest., model: forest, parameters: {n_estimators: 20, max_depth: 4}}
"""


def table_of(patches: list[LabelledPatch]) -> pd.DataFrame:
    """Return a corpus table of labelled patches."""
    outcomes = ("invalid", "valid")
    rows = [
        {"id": p.id, "vulnerability": p.group, "project": p.project, "cwe": p.cwe, "language": "python"}
        | {"origin": "hand", "diff": p.diff, "outcome": outcomes[p.label], "basic_outcome": outcomes[p.label]}
        | {"seconds": 0.1}
        for p in patches
    ]
    return pd.DataFrame([dict.fromkeys(COLUMNS, "") | row for row in rows])[list(COLUMNS)]


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run the command line with these arguments and return its exit code."""
    monkeypatch.setattr("sys.argv", ["crisol", *arguments])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return int(stop.value.code or 0)


def trial(outcome: Outcome, seconds: int = 0, text: str = DIFF, vulnerability: str = "arena-x") -> Trial:
    """Return a trial of a patch."""
    return observe(
        Prediction(0.6, "m-1", "3"),
        patch=parse(text).identity,
        vulnerability=vulnerability,
        outcome=outcome,
        reason=None if outcome is Outcome.VALID else Reason.EXPLOIT_SURVIVES,
        sampling_probability=1.0,
        created_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=seconds),
        experiment="live",
        arm="champion",
        cwe="CWE-22",
        wargame_seconds=1.0,
    )


def test_a_patch_is_found_again_by_its_identity_and_kept_once(tmp_path: Path) -> None:
    store = PatchStore(tmp_path)
    identity = store.add(DIFF)
    assert store.add(DIFF) == identity == parse(DIFF).identity
    assert store.get(identity) == DIFF
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1


def test_what_is_not_what_its_name_says_is_never_handed_out(tmp_path: Path) -> None:
    """Damaged files, exchanged ones and names that leave the folder give nothing; no diff is refused."""
    store = PatchStore(tmp_path)
    identity = store.add(DIFF)
    (path,) = tmp_path.rglob("*.diff")
    path.write_text(DIFF.replace("b = 2", "b = 3"))
    assert store.get(identity) is None
    assert store.get("../../etc/passwd") is None
    assert store.get("0" * 64) is None
    with pytest.raises(DiffError):
        store.add("no diff")


def test_trials_become_labelled_patches_by_the_text_that_was_kept(tmp_path: Path) -> None:
    store = PatchStore(tmp_path)
    assert labelled([trial(Outcome.VALID)], NOTHING_KNOWN, store).without_text == 1
    store.add(DIFF)
    gathered = labelled([trial(Outcome.INVALID), trial(Outcome.VALID, 9)], NOTHING_KNOWN, store)
    (patch,) = gathered.patches
    assert (patch.diff, patch.label, patch.group, patch.cwe) == (DIFF, 1, "arena-x", "CWE-22")
    assert gathered.without_text == gathered.inconclusive == 0


def test_the_corpus_table_knows_the_text_of_its_own_patches(tmp_path: Path) -> None:
    row = {"vulnerability": "arena-x", "id": parse(DIFF).identity, "project": "arena", "diff": DIFF}
    gathered = labelled([trial(Outcome.VALID)], pd.DataFrame([row]), PatchStore(tmp_path))
    assert [(patch.diff, patch.project) for patch in gathered.patches] == [(DIFF, "arena")]


def test_trials_of_few_vulnerabilities_are_refused(tmp_path: Path) -> None:
    """One vulnerability to test on would have an interval of width zero, whatever the models are worth."""
    settings = load_settings().model_copy(update={"root": tmp_path})
    few = Gathered(tuple(patches(6, 3)), 0, 0)
    with runs.start(settings, "retrain") as run:
        for gathered, share in ((Gathered((), 0, 0), 0.3), (few, 0.3), (few, 0.99)):
            with pytest.raises(DatasetError, match="gather more trials"):
                retrain(settings, run, NOTHING_KNOWN, gathered, RetrainingDesign("small", 0, share))
    with pytest.raises(ExperimentError, match="held_out"):
        RetrainingDesign("small", 0, 1.0)


def test_trials_of_a_store_make_a_challenger_and_the_champion_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the DuckDB file to the registry, by the command.

    Compared on what was set aside, with thresholds or why not.
    """
    monkeypatch.setenv("CRISOL_ROOT", str(tmp_path))
    settings = load_settings()
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "variants.yaml").write_text(VARIANTS)
    made = patches(36, 6)
    tried = made[12 * 6 :]
    save_table(table_of(made[: 12 * 6]), tmp_path / "corpus.parquet")
    arguments = ["retrain", "small", "--data", str(tmp_path / "corpus.parquet"), "--held-out", "0.5"]

    assert call(monkeypatch, *arguments) == 64
    assert "the trials are of 0 vulnerabilities" in " ".join(capsys.readouterr().err.split())
    assert models.holder_tags(settings, CHALLENGER) is None

    store = PatchStore(settings.patches)
    with closing(open_trials(settings)) as trials:
        trials.append(
            [
                trial(Outcome.VALID if p.label else Outcome.INVALID, second, p.diff, p.group)
                for second, p in enumerate(tried)
                if store.add(p.diff)
            ]
        )
    assert call(monkeypatch, "promote", "small", *arguments[2:4]) == 0
    champion = models.holder_tags(settings)
    capsys.readouterr()

    assert call(monkeypatch, *arguments) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "12 vulnerabilities" in said
    assert f"no fewer than {least(0.02, 0.1)}" in said
    challenger = models.holder_tags(settings, CHALLENGER)
    assert champion is not None
    assert challenger is not None
    assert challenger["model_version"] != champion["model_version"]
    assert models.holder_tags(settings) == champion


def test_what_trials_teach_shows_on_the_vulnerabilities_set_aside(tmp_path: Path) -> None:
    """Where the corpus says the opposite of the trials, only who learnt from trials is right about them."""
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "variants.yaml").write_text(VARIANTS)
    settings = load_settings().model_copy(update={"root": tmp_path})
    made = patches(30, 6)
    wrong = table_of([replace(p, label=1 - p.label) for p in made[: 4 * 6]])
    with runs.start(settings, "retrain") as run:
        result = retrain(
            settings, run, wrong, Gathered(tuple(made[4 * 6 :]), 0, 0), RetrainingDesign("small", 0, 0.5)
        )
    by = result.table.set_index("model")
    assert result.not_worse
    assert by.loc["challenger", "auc_low"] > by.loc["champion", "auc_high"]
    assert by.loc["challenger", "learnt"] > by.loc["champion", "learnt"] == 4 * 6


def test_a_challenger_takes_the_title_by_the_gate_alone(tmp_path: Path) -> None:
    """On request a challenger that is shown to be no worse becomes champion; one that is worse does not."""
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "variants.yaml").write_text(VARIANTS)
    settings = load_settings().model_copy(update={"root": tmp_path})
    made = patches(30, 6)
    with runs.start(settings, "retrain") as run:
        # Trials that contradict a wrong corpus help for sure; of a right one, these are too few to show
        # anything.
        wrong = [replace(p, label=1 - p.label) for p in made[: 4 * 6]]
        for corpus, tried, share, promoted in (
            (wrong, made[4 * 6 :], 0.5, True),
            (made[: 9 * 6], made[9 * 6 :], 0.3, False),
        ):
            design = RetrainingDesign("small", 0, share, promote=True)
            result = retrain(settings, run, table_of(corpus), Gathered(tuple(tried), 0, 0), design)
            assert (result.not_worse, result.promoted) == (promoted, promoted)
            champion = models.holder_tags(settings)
            assert champion is not None
            held = models.holder_tags(settings, CHALLENGER)
            assert (champion == held) is promoted


def test_a_trial_counts_by_the_inverse_of_its_sampling_probability(tmp_path: Path) -> None:
    """A patch that was sampled with one chance in ten stands for ten.

    Figures and gate see the crowd, not the sample.
    """
    store = PatchStore(tmp_path)
    store.add(DIFF)
    (weight,) = labelled(
        [replace(trial(Outcome.VALID), sampling_probability=0.1)], NOTHING_KNOWN, store
    ).weights
    assert weight == pytest.approx(10.0)
    truth, groups = np.array([1, 0] * 10), np.repeat(np.arange(10), 2).astype(str)
    said = np.where(truth == 1, 0.9, 0.6)
    error = (said - truth) ** 2
    heavy = np.where(truth == 1, 10.0, 1.0)
    assert scores.auc(truth, np.array([0.2, 0.4] * 5 + [0.8, 0.4] * 5), heavy) == 0.5
    nothing = np.zeros(len(truth))
    rising = np.where(truth == 1, -0.01, 0.05)
    assert not not_worse((error + rising, nothing), (error, nothing), groups, seed=0)[0]
    assert not_worse((error + rising, nothing), (error, nothing), groups, seed=0, weight=heavy)[0]
