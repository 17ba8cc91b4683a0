"""Streams over a labelled set, from the file to the tables."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from crisol.config import load_settings
from crisol.errors import DatasetError
from crisol.lab.evidence import Measured, Prepared, StreamQuestion, certified, measure, prepare


@pytest.fixture(scope="module")
def repeats(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Return streams of eight patches of two programs each."""
    path = tmp_path_factory.mktemp("repeats") / "set.jsonl"
    rows = []
    for bug in range(24):
        for number in range(8):
            call = "safe" if number % 2 else "risky"
            diff = (
                "--- a/app.py\n"
                "+++ b/app.py\n"
                f"@@ -{bug} +{bug},2 @@\n"
                " read(name)\n"
                f"+{call}(name)\n"
                f"+# {number}\n"
            )
            rows.append(
                {
                    "id": f"{bug}-{number}",
                    "project": "p",
                    "bug_id": f"bug-{bug}",
                    "language": "python",
                    "tool": "t",
                }
                | {"label": number % 2, "diff": diff}
            )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return prepare(load_settings(), StreamQuestion(path, repeats=1, folds=3))


@pytest.fixture(scope="module")
def measured(repeats: Prepared) -> Measured:
    return measure(repeats)


def test_a_set_in_which_repeats_share_their_label_is_skipped_without_a_false_accept(
    repeats: Prepared, measured: Measured
) -> None:
    assert all(repeats.fold[stream.group] in repeats.stages for stream in repeats.streams)
    policies = measured.policies.set_index("policy")
    assert policies.loc["always wargame", "skipped"] == 0
    assert policies.loc["facts", "skipped"] == 0.75
    assert policies.loc["facts", "false_accepts"] == 0
    whole = policies.loc["facts, memory, cold"]
    assert whole["accepted"] + whole["refused"] == pytest.approx(whole["skipped"])
    assert whole["false_of_accepted"] <= 0.02
    assert "fewer than" in certified(repeats).policy.reason


def test_patches_that_are_not_shuffled_arrive_in_one_order(repeats: Prepared, measured: Measured) -> None:
    assert measured.facts["repeats"] == 1
    unshuffled = replace(repeats.question, repeats=5, shuffled=False)
    assert measure(replace(repeats, question=unshuffled)).facts["repeats"] == 1


def test_a_ladder_without_arrivals_has_no_shares(measured: Measured) -> None:
    """It needs two wargames for two programs, so no arrival of it comes after four verdicts."""
    shares = measured.by_known.set_index("known")[["skipped", "false_of_accepted", "false_refusals"]]
    assert shares.loc[4].isna().all()
    assert shares.loc[1].notna().all()


def test_a_stream_gives_a_variant_the_source_that_it_reads_or_refuses(tmp_path: Path) -> None:
    """It reads the source of registered vulnerabilities; in a set of others there is nothing to read."""
    root = load_settings().root / "data" / "vulnerabilities" / "arena"
    rows = [
        {"id": f"{name}-{number}", "bug_id": name, "label": number % 2, "diff": path.read_text()}
        for name in ("arena-order-sql", "arena-sort-arguments", "arena-search-xss", "arena-zip-slip")
        for number, path in enumerate(sorted((root / name / "patches").glob("*.diff")))
    ]
    path = tmp_path / "set.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    blind, reader = (
        prepare(load_settings(), StreamQuestion(path, variant=variant, repeats=1, folds=2)).arrivals
        for variant in ("lightgbm", "source_lightgbm")
    )
    assert [arrival.patch.probability for arrival in blind] != [
        arrival.patch.probability for arrival in reader
    ]
    path.write_text("\n".join(json.dumps(row | {"bug_id": f"other-{row['bug_id']}"}) for row in rows))
    with pytest.raises(DatasetError, match="reads the vulnerable source"):
        prepare(load_settings(), StreamQuestion(path, variant="source_lightgbm"))
