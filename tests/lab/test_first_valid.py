"""Wargames until the first valid patch, by order."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from crisol.config import load_settings
from crisol.lab.arrivals import Prepared, StreamQuestion, prepare
from crisol.lab.first_valid import found_by, totals, until_first_valid


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Twelve bugs of eight patches each; the call that a patch adds says whether it is right."""
    path = tmp_path_factory.mktemp("set") / "set.jsonl"
    rows = [
        {
            "id": f"{bug}-{number}", "bug_id": f"bug-{bug}", "label": int(number % 4 == 0),
            "diff": f"--- a/app.py\n+++ b/app.py\n@@ -{bug} +{bug},2 @@\n read(name)\n"
            f"+{'safe' if number % 4 == 0 else 'risky'}(name, {number})\n",
        }
        for bug in range(12)
        for number in range(8)
    ]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return prepare(load_settings(), StreamQuestion(path, repeats=1, folds=3))


def test_no_order_wargames_more_than_there_are_wrong_patches_and_one(prepared: Prepared) -> None:
    table = until_first_valid(prepared)
    assert len(table) == 12
    assert (table["candidates"] == 8).all()
    assert table["random"].tolist() == pytest.approx([3.0] * 12)
    for order in ("cold", "memory"):
        assert table[order].between(1, 7).all()
    assert totals(table)["until_first_valid.random"] == pytest.approx(36.0)


def test_what_was_found_only_grows_and_random_draws_without_putting_back() -> None:
    table = pd.DataFrame({"candidates": [4], "valid": [2], "random": [5 / 3], "cold": [2], "memory": [1]})
    shares = found_by(table, 4).set_index("wargames")
    assert shares["random"].tolist() == pytest.approx([1 / 2, 5 / 6, 1, 1])
    assert shares["cold"].tolist() == [0, 1, 1, 1]
    assert shares["memory"].tolist() == [1, 1, 1, 1]


def test_no_group_has_no_share() -> None:
    """Without a group with a valid candidate nothing was found or missed."""
    table = pd.DataFrame({"candidates": [], "valid": [], "random": [], "cold": [], "memory": []})
    assert found_by(table, 2)[["random", "cold", "memory"]].isna().all(axis=None)
