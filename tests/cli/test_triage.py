"""Triage: which of many candidates to merge."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from crisol.cli import app
from crisol.diff import Patch
from crisol.errors import DatasetError, InputError, ModelError, SandboxUnavailable
from crisol.lab.triage import Bench, Triage
from crisol.lab.triage_order import TriageOrder
from crisol.records import Candidate, Origin, Outcome, Reason, Source
from crisol.sandbox import choose
from support.flawed import RIGHT, notes, patch

_OTHER = RIGHT.replace("basename(name) != name", "dirname(name)")
_DIFFS = {
    "comment": str(patch("    with open", "    # checked elsewhere\n    with open")),
    "elsewhere": str(patch("    os.remove", "    print(name)\n    os.remove")),
    "breaks": str(patch("    with open", "    raise ValueError(name)\n    with open")),
    "right": str(patch("    with open", RIGHT)),
    "right-again": str(patch("    with open", RIGHT.replace("name:\n", "name:  # plain\n"))),
    "other": str(patch("    with open", _OTHER)),
    "no-diff": "please merge",
    "stale": str(patch("    with open", RIGHT)).replace(" def read", " def fetch"),
}


@pytest.fixture(autouse=True)
def _sandbox() -> None:
    try:
        choose()
    except SandboxUnavailable as missing:
        pytest.skip(str(missing))


def _predict(patch: Patch, cwe: str) -> float:
    """Believe in what looks at the base name."""
    return 0.9 if any("basename" in line for line in patch.added) else 0.2


def _triage(folder: Path, *names: str, **options: object) -> Triage:
    candidates = [Candidate("notes-1", name, Origin.IMPORT, _DIFFS[name]) for name in names or _DIFFS]
    work = Triage(notes(folder), candidates, Bench(folder / "cache", jobs=1, predict=_predict), **options)  # type: ignore[arg-type]  # of several types
    list(work.run())
    return work


def test_two_candidates_of_one_name_are_refused(tmp_path: Path) -> None:
    """An entry is found by its name, so a second candidate of that name would vanish."""
    twice = [Candidate("notes-traversal", "a", Origin.IMPORT, text) for text in ("x", "y")]
    with pytest.raises(InputError, match="'a' names 2 candidates"):
        Triage(notes(tmp_path), twice, Bench(tmp_path / "cache"))


def test_facts_settle_repeats_join_and_the_rest_is_wargamed(tmp_path: Path) -> None:
    """Three wargames for eight candidates; the one to merge was wargamed, and no fact alone recommends."""
    work = _triage(tmp_path)
    entries = work.entries
    assert entries["comment"].source is Source.EQUIVALENT
    assert entries["elsewhere"].source is Source.UNTOUCHED
    assert entries["right"].repeats == ("right-again",)
    assert [str(entries[name].reason) for name in ("breaks", "no-diff", "stale")] == [
        "breaks_function",
        "malformed",
        "does_not_apply",
    ]
    assert work.wargames == 3
    assert work.outcome is Outcome.VALID
    assert {entry.name for entry in work.ranked()[:2]} == {"right", "other"}
    assert all(entry.recommended == (entry.name in {"right", "other"}) for entry in entries.values())


def test_the_first_valid_one_ends_it_and_the_next_run_goes_on(tmp_path: Path) -> None:
    """What the model takes for likeliest is wargamed first; a verdict is never paid for twice."""
    work = _triage(tmp_path, "breaks", "other", "right", until="first-valid")
    assert (work.wargames, work.ranked()[0].name, work.outcome) == (1, "right", Outcome.VALID)
    assert work.entries["breaks"].outcome is None
    again = _triage(tmp_path, "breaks", "other", "right")
    assert again.wargames == 2
    assert again.entries["right"].recommended
    assert _triage(tmp_path, "breaks", "other", "right").wargames == 0


def test_without_a_budget_left_nothing_is_decided_but_the_facts(tmp_path: Path) -> None:
    """A stopped triage is undecided and keeps what it has."""
    clock = iter(range(0, 1000, 10))
    work = _triage(tmp_path, "breaks", "comment", budget=5.0, clock=lambda: float(next(clock)))
    assert (work.wargames, work.outcome) == (0, Outcome.INCONCLUSIVE)
    assert work.entries["comment"].outcome is Outcome.INVALID
    assert work.ranked()[0].name == "breaks"


def test_none_is_valid_where_all_are_decided(tmp_path: Path) -> None:
    """All refused is an answer, too."""
    assert _triage(tmp_path, "breaks", "comment").outcome is Outcome.INVALID


def test_a_diff_that_does_not_apply_is_not_judged(tmp_path: Path) -> None:
    """Its form says nothing about the fix: it is inconclusive, last, and no reason to call all invalid."""
    work = _triage(tmp_path, "stale", "breaks", "no-diff")
    assert [entry.name for entry in work.ranked()] == ["breaks", "stale", "no-diff"]
    assert [work.entries[name].outcome for name in ("stale", "no-diff")] == [Outcome.INCONCLUSIVE] * 2
    assert work.outcome is Outcome.INVALID
    assert _triage(tmp_path, "stale", "no-diff").outcome is Outcome.INCONCLUSIVE


def test_a_changed_vulnerability_forgets_its_verdicts(tmp_path: Path) -> None:
    """Verdicts are kept by the content of the vulnerability."""
    _triage(tmp_path, "right")
    check = tmp_path / "notes-1" / "checks" / "2.py"
    check.write_text("import app\n")
    assert _triage(tmp_path, "right").wargames == 1


def test_a_verdict_that_was_cut_off_counts_for_nothing(tmp_path: Path) -> None:
    """A run that was killed while it wrote leaves a torn line behind."""
    _triage(tmp_path, "right", "breaks")
    (kept,) = (tmp_path / "cache" / "triage").iterdir()
    kept.write_text(kept.read_text()[:-20])
    assert _triage(tmp_path, "right", "breaks").wargames == 1


@pytest.mark.parametrize(("names", "code"), [(("right", "breaks"), 0), (("breaks", "comment"), 1)])
def test_the_command_ranks_and_its_exit_code_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...], code: int
) -> None:
    """Files, folders, JSONL and standard input are read alike; the report shows hostile text as text."""
    monkeypatch.setenv("CRISOL_ROOT", str(tmp_path))
    folder = tmp_path / "inbox"
    folder.mkdir()
    (folder / f"{names[0]}.diff").write_text(_DIFFS[names[0]])
    lines = tmp_path / "more.jsonl"
    lines.write_text(json.dumps({"name": names[1], "diff": _DIFFS[names[1]]}) + "\n")
    hostile = json.dumps({"name": "<script>alert(1)</script>", "diff": "<b>no</b>"})
    report = tmp_path / "report.html"
    arguments = [
        "triage",
        str(notes(tmp_path).folder),
        str(folder),
        str(lines),
        "-",
        "--json",
        "--report",
        str(report),
    ]
    ran = CliRunner().invoke(app, arguments, input=hostile)
    assert ran.exit_code == code, ran.output
    document = json.loads(ran.stdout)
    assert document["winner"] == (names[0] if code == 0 else None)
    assert {entry["name"] for entry in document["candidates"]} == {*names, "<script>alert(1)</script>"}
    assert "<script>" not in report.read_text()


def test_a_budget_of_nothing_is_undecided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 2: the command may be run again."""
    monkeypatch.setenv("CRISOL_ROOT", str(tmp_path))
    file = tmp_path / "breaks.diff"
    file.write_text(_DIFFS["breaks"])
    ran = CliRunner().invoke(app, ["triage", str(notes(tmp_path).folder), str(file), "--budget", "0.000001"])
    assert ran.exit_code == 2, ran.output


def test_diffs_that_were_not_judged_are_counted_where_none_is_valid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 1 is about the diffs that fit; the sentence says how many do not. Where all fit, it says none."""
    monkeypatch.setenv("CRISOL_ROOT", str(tmp_path))
    folder = tmp_path / "inbox"
    folder.mkdir()
    (folder / "comment.diff").write_text(_DIFFS["comment"])
    command = ["triage", str(notes(tmp_path).folder), str(folder)]
    ran = CliRunner().invoke(app, command)
    assert (ran.exit_code, ran.output.splitlines()[-1]) == (1, "none is valid")
    (folder / "stale.diff").write_text(_DIFFS["stale"])
    ran = CliRunner().invoke(app, command)
    said = "none is valid; not judged: 1 (the diff does not fit the release)"
    assert (ran.exit_code, ran.output.splitlines()[-1]) == (1, said)


@pytest.mark.parametrize("text", ['{"name": "x"}\n', '{"diff": null}\n', "{\n", "[1]\n"])
def test_standard_input_that_is_no_candidate_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """An error says the line, and what was expected; a text that is no JSON is a diff, and not judged."""
    monkeypatch.setenv("CRISOL_ROOT", str(tmp_path))
    ran = CliRunner().invoke(app, ["triage", str(notes(tmp_path).folder), "-"], input=text)
    if text.startswith("{"):
        assert isinstance(ran.exception, DatasetError)
        assert "line 1" in str(ran.exception)
    else:
        assert ran.exit_code == 2
        assert "none could be judged" in ran.output


def test_a_line_of_standard_input_ends_at_a_line_feed_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JSON texts may contain U+2028 and U+0085; a missing name is made of the line's number."""
    monkeypatch.setenv("CRISOL_ROOT", str(tmp_path))
    rows = [
        {"name": "a\u2028b", "diff": "no\x85diff"},
        {"name": None, "diff": "no diff"},
        {"diff": "no diff, again"},
    ]
    text = "\r\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    ran = CliRunner().invoke(app, ["triage", str(notes(tmp_path).folder), "-", "--json"], input=text)
    candidates = json.loads(ran.stdout)["candidates"]
    assert {entry["name"] for entry in candidates} == {"a\u2028b", "stdin-2", "stdin-3"}


def test_a_model_that_is_named_and_missing_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody who names a model gets an order without it."""
    monkeypatch.setenv("CRISOL_ROOT", str(tmp_path))
    file = tmp_path / "right.diff"
    file.write_text(_DIFFS["right"])
    arguments = ["triage", str(notes(tmp_path).folder), str(file), "--model", str(tmp_path / "no.skops")]
    assert isinstance(CliRunner().invoke(app, arguments).exception, ModelError)


def test_an_empty_folder_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing to judge is no triage."""
    monkeypatch.setenv("CRISOL_ROOT", str(tmp_path))
    (tmp_path / "empty").mkdir()
    ran = CliRunner().invoke(app, ["triage", str(notes(tmp_path).folder), str(tmp_path / "empty")])
    assert isinstance(ran.exception, DatasetError)


def test_every_verdict_changes_which_candidate_is_next() -> None:
    """What is alike to an invalid patch waits, what is alike to the fix comes first; a belief counts."""
    order = TriageOrder()
    right, wrong = patch("    with open", RIGHT), patch("    os.remove", "    print(name)\n    os.remove")
    for name, text in {
        "fix": right,
        "like-the-fix": patch("    with open", RIGHT.replace("raise ValueError(name)", "raise ValueError")),
        "wrong": wrong,
        "like-the-wrong": patch("    os.remove", "    print(root, name)\n    os.remove"),
    }.items():
        order.add(name, text, None)
    assert order.promise("like-the-fix") == order.promise("like-the-wrong") == 0.5
    order.learn("fix", valid=True)
    before = order.promise("like-the-wrong")
    assert order.promise("like-the-fix") > before
    order.learn("wrong", valid=False, reason=Reason.EXPLOIT_SURVIVES)
    assert order.promise("like-the-wrong") < before
    order.add("believed", wrong, 0.999)
    assert order.promise("believed") == 0.999


def test_without_a_model_the_known_fix_says_what_comes_first(tmp_path: Path) -> None:
    """Two that break stand before the right one in the list."""
    breaks = [
        str(patch("    with open", f"    raise ValueError(name{rest})\n    with open"))
        for rest in ("", ", 1")
    ]
    candidates = [
        Candidate("notes-1", name, Origin.IMPORT, text)
        for name, text in zip(("breaks", "breaks-too", "right"), (*breaks, _DIFFS["right"]), strict=True)
    ]
    work = Triage(notes(tmp_path), candidates, Bench(tmp_path / "cache", jobs=1), until="first-valid")
    list(work.run())
    assert (work.wargames, work.outcome) == (1, Outcome.VALID)
