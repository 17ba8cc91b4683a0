from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas as pd
import pytest

from crisol.abtest.patches import PatchStore
from crisol.abtest.trial import observe
from crisol.config import load_settings
from crisol.diff import parse
from crisol.errors import DatasetError, DiffError
from crisol.lab import tracking
from crisol.lab.retraining import Design, Gathered, labelled, retrain
from crisol.records import Outcome, Prediction, Reason, Trial

DIFF = "--- a/x.py\n+++ b/x.py\n@@ -1 +1,2 @@\n a = 1\n+b = 2\n"
NOTHING_KNOWN = pd.DataFrame(columns=["vulnerability", "id", "project", "diff"])


def trial(outcome: Outcome, seconds: int = 0, text: str = DIFF) -> Trial:
    """Return a trial of a patch."""
    return observe(
        Prediction(0.6, "m-1", "3"),
        patch=parse(text).identity,
        vulnerability="arena-x",
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
    found = labelled([trial(Outcome.INVALID), trial(Outcome.VALID, 9)], NOTHING_KNOWN, store)
    (patch,) = found.patches
    assert (patch.diff, patch.label, patch.group, patch.cwe) == (DIFF, 1, "arena-x", "CWE-22")
    assert found.without_text == found.inconclusive == 0


def test_the_corpus_table_knows_the_text_of_its_own_patches(tmp_path: Path) -> None:
    row = {"vulnerability": "arena-x", "id": parse(DIFF).identity, "project": "arena", "diff": DIFF}
    found = labelled([trial(Outcome.VALID)], pd.DataFrame([row]), PatchStore(tmp_path))
    assert [(patch.diff, patch.project) for patch in found.patches] == [(DIFF, "arena")]


def test_trials_of_one_vulnerability_cannot_be_tested_on_another(tmp_path: Path) -> None:
    settings = load_settings().model_copy(update={"crisol_root": tmp_path})
    with tracking.start(settings, "retrain") as run, pytest.raises(DatasetError, match="needs two"):
        retrain(settings, run, NOTHING_KNOWN, Gathered((), 0, 0), Design("lightgbm", 0))
