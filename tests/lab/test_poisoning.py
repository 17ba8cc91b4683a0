"""A memory that is poisoned halfway, and the alarm of its rung."""

from __future__ import annotations

import json

import numpy as np
import pytest

from crisol.config import load_settings
from crisol.errors import ExperimentError
from crisol.lab.arrivals import Prepared, StreamQuestion, prepare
from crisol.lab.poisoning import poison


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Thirty bugs; which of two calls is the safe one differs from bug to bug, so that only verdicts tell."""
    path = tmp_path_factory.mktemp("set") / "set.jsonl"
    rng = np.random.default_rng(0)
    rows = []
    for bug in range(30):
        right = int(rng.integers(2))
        for number in range(12):
            label = int(rng.integers(2))
            call = ("first_way", "second_way")[label == right]
            diff = f"--- a/app.py\n+++ b/app.py\n@@ -9 +9,2 @@\n read(name)\n+{call}(name, {number})\n"
            rows.append({"id": f"{bug}-{number}", "bug_id": f"bug-{bug}", "label": label, "diff": diff})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return prepare(load_settings(), StreamQuestion(path, repeats=3, folds=3))


def test_the_alarm_comes_after_the_poison_and_never_without_it(prepared: Prepared) -> None:
    """The very same arrivals raise no alarm as long as the memory holds what wargames said."""
    clean = poison(prepared, after=1.0, rate=0.5, seed=0)
    assert clean.first_alarm is None
    assert not clean.arrivals["poisoned"].any()
    poisoned = poison(prepared, after=0.5, rate=0.5, seed=0)
    assert poisoned.first_alarm is not None
    assert poisoned.first_alarm > poisoned.begins
    phases = poisoned.phases().set_index("phase")
    assert phases.loc["poisoned", "right_of_refused"] > 0.5 > phases.loc["clean", "right_of_refused"]
    assert poisoned.metrics()["clean.skipped"] == phases.loc["clean", "skipped"]


def test_a_share_or_rate_out_of_range_is_refused(prepared: Prepared) -> None:
    with pytest.raises(ExperimentError, match="rate"):
        poison(prepared, rate=0.0)
