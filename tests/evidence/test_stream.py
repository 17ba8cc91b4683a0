"""Streams: a memory holds the verdicts of the past, and only of patches that were wargamed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from crisol.diff import parse
from crisol.errors import ModelError
from crisol.evidence.memory import COLUMNS, Judged
from crisol.evidence.second_stage import SecondStage, across_groups, train
from crisol.evidence.similarity import sketch
from crisol.evidence.stream import Arrival, play, recalled, same_code, streams
from crisol.model.policy import LadderPolicy, Policy


def arrivals(groups: int, each: int = 6) -> tuple[list[Arrival], NDArray[np.int_]]:
    """Candidates whose number decides their label: even ones call ``safe``, and those are valid."""
    made = []
    for group in range(groups):
        for number in range(each):
            call = "safe" if number % 2 == 0 else "risky"
            text = f"--- a/app.py\n+++ b/app.py\n@@ -1 +1,2 @@\n read(name)\n+{call}_{group}({number})\n"
            read = parse(text)
            made.append(
                Arrival(Judged(f"{group}-{number}", sketch(read), number % 2 == 0, 0.5), same_code(read))
            )
    return made, np.repeat(np.arange(groups), each)


def half(rows: NDArray[np.float64], _group: NDArray[np.int_]) -> NDArray[np.float64]:
    return np.full(len(rows), 0.5)


def test_a_patch_meets_the_verdicts_before_it_and_no_other() -> None:
    made, group = arrivals(3)
    chosen = streams(made, group, repeats=2, seed=0)
    whole = recalled(made, chosen)
    known = whole.rows[:, COLUMNS.index("known")]
    assert known.tolist() == [*range(6)] * 6
    right = whole.rows[:, COLUMNS.index("valid")]
    for number in range(6):
        label = [made[at].patch.valid for at in whole.arrival[whole.stream == number]]
        assert right[whole.stream == number].tolist() == [sum(label[:k]) for k in range(6)]


def test_a_skipped_patch_leaves_no_verdict() -> None:
    made, group = arrivals(2)
    chosen = streams(made, group, repeats=1, seed=0)
    everything = Policy(accept=0.4)
    assert play(made, chosen, half, LadderPolicy(model=everything)).known.max() == 0
    assert play(made, chosen, half, LadderPolicy()).known.max() == 5


def test_a_patch_of_which_no_verdict_is_known_goes_on_to_the_cold_model() -> None:
    made, group = arrivals(2)
    chosen = streams(made, group, repeats=1, seed=0)
    everything = Policy(accept=0.4)
    played = play(made, chosen, half, LadderPolicy(memory=everything))
    assert (played.rung == "wargame").tolist() == (played.known == 0).tolist()
    assert played.known.max() == 1
    both = play(made, chosen, half, LadderPolicy(memory=Policy(accept=0.9), model=everything))
    assert set(both.rung) == {"model"}


def test_the_reference_is_known_from_the_start_and_is_no_candidate() -> None:
    made, group = arrivals(1)
    made[0] = Arrival(made[0].patch, made[0].code, reference=True)
    (stream,) = streams(made, group, repeats=1, seed=0)
    assert stream.known == (0,)
    whole = recalled(made, [stream])
    assert 0 not in whole.arrival
    assert whole.known[0] == 0
    assert whole.rows[0, COLUMNS.index("valid")] == 1


def test_streams_come_in_the_order_of_the_list_on_request() -> None:
    made, group = arrivals(2)
    assert [stream.order for stream in streams(made, group, repeats=9, seed=0, shuffled=False)] == [
        (0, 1, 2, 3, 4, 5),
        (6, 7, 8, 9, 10, 11),
    ]


def test_a_repeat_of_a_judged_program_has_its_verdict() -> None:
    made, group = arrivals(1)
    made.append(Arrival(Judged("again", made[1].patch.sketch, valid=False, probability=0.5), made[1].code))
    chosen = streams(made, np.append(group, 0), repeats=1, seed=0, shuffled=False)
    played = play(made, chosen, half, LadderPolicy())
    assert (played.rung[-1], played.decision[-1]) == ("equivalent", -1)
    assert play(made, chosen, half, LadderPolicy(), facts=False).rung[-1] == "wargame"


def test_comments_do_not_make_another_code_and_indentation_does() -> None:
    def code(*lines: str) -> str:
        body = "".join(f"+{line}\n" for line in lines)
        return same_code(parse(f"--- a/a.py\n+++ b/a.py\n@@ -1 +1,{len(lines) + 1} @@\n x\n{body}"))

    assert code("if a:", "  b") == code("# why", "if a:", "", "  b")
    assert code("if a:", "  b") != code("if a:", "b")


def test_the_second_stage_learns_from_other_groups_and_is_what_it_was_after_a_file(tmp_path: Path) -> None:
    made, group = arrivals(30)
    label = np.array([arrival.patch.valid for arrival in made], dtype=np.int_)
    taught = recalled(made, streams(made, group, repeats=3, seed=0), seed=1)
    fold = group[taught.arrival] % 3
    names, of = group[taught.arrival].astype(str), label[taught.arrival]
    stages = across_groups(taught.rows, of, names, fold, seed=0)
    turned = across_groups(taught.rows, np.where(fold == 0, 1 - of, of), names, fold, seed=0)
    assert turned[0].version == stages[0].version  # nothing of its own fold, the labels least of all
    assert turned[1].version != stages[1].version
    late = (fold == 0) & (taught.rows[:, COLUMNS.index("known")] > 2)
    belief = stages[0].probabilities(taught.rows[late])
    right = label[taught.arrival[late]] == 1
    assert belief[right].mean() > belief[~right].mean() + 0.3
    stage = train(taught.rows, label[taught.arrival], group[taught.arrival].astype(str), seed=0)
    stage.save(tmp_path / "stage.json")
    read = SecondStage.load(tmp_path / "stage.json")
    assert read.version == stage.version
    np.testing.assert_allclose(read.probabilities(taught.rows[:9]), stage.probabilities(taught.rows[:9]))
    assert read.probability(taught.rows[3]) == pytest.approx(stage.probabilities(taught.rows[3:4])[0])


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"format": "crisol-second-stage-1", "columns": []}', "\x00"]
)
def test_another_file_is_no_second_stage(tmp_path: Path, content: str) -> None:
    (tmp_path / "stage.json").write_text(content)
    with pytest.raises(ModelError, match=r"stage\.json"):
        SecondStage.load(tmp_path / "stage.json")
