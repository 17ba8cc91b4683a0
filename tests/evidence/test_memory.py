"""The memory of a vulnerability: what it recalls, what it forgets, what it costs to be large."""

from __future__ import annotations

import numpy as np
import pytest

from crisol.diff import parse
from crisol.evidence.memory import COLUMNS, Judged, Memory
from crisol.evidence.similarity import PARTS, sketch


def patch(*added: str, path: str = "app.py", at: int = 1) -> str:
    lines = "".join(f"+{line}\n" for line in added)
    return f"--- a/{path}\n+++ b/{path}\n@@ -{at} +{at},{len(added) + 1} @@\n read(name)\n{lines}"


def judged(text: str, *, valid: bool, probability: float = 0.5, reason: str = "") -> Judged:
    read = parse(text)
    return Judged(read.identity, sketch(read), valid, probability, reason)


def recalled(memory: Memory, text: str) -> dict[str, float]:
    row = memory.recall(sketch(parse(text)), 0.5).row
    return dict(zip(COLUMNS, row.tolist(), strict=True))


def test_comments_and_layout_are_no_part_of_a_sketch() -> None:
    plain = sketch(parse(patch("if name == 'x': stop()", "go()")))
    dressed = sketch(parse(patch("# why", "if name=='x':  stop()  # here", "go( )")))
    assert {part: plain.parts[n] == dressed.parts[n] for n, part in enumerate(PARTS)}["added"]
    assert plain.gained == dressed.gained


def test_an_empty_memory_knows_the_cold_probability_alone() -> None:
    row = recalled(Memory(), patch("stop()"))
    assert (row["cold"], row["known"]) == (0.0, 0.0)
    assert np.isnan(row["valid_similarity"])
    assert np.isnan(row["share"])


def test_the_same_change_is_as_similar_as_can_be_and_another_place_is_less_so() -> None:
    memory = Memory()
    memory.add(judged(patch("stop()"), valid=True))
    assert recalled(memory, patch("stop()"))["valid_similarity"] == pytest.approx(1.0)
    elsewhere = recalled(memory, patch("stop()", at=90))["valid_similarity"]
    assert 0.4 < elsewhere < 1.0
    assert recalled(memory, patch("stop()", path="other.py", at=90))["valid_similarity"] < elsewhere


def test_what_separates_a_patch_from_the_nearest_is_counted_by_kind() -> None:
    memory = Memory()
    memory.add(judged(patch("if size > 9 and safe:", "    return"), valid=True))
    row = recalled(memory, patch("if size >= 8:", "    return"))
    assert (row["valid_here_compare"], row["valid_there_compare"]) == (1.0, 1.0)
    assert (row["valid_here_number"], row["valid_there_number"]) == (1.0, 1.0)
    assert (row["valid_here_logic"], row["valid_there_logic"]) == (0.0, 1.0)


def test_the_nearest_of_either_class_come_with_identity_and_reason() -> None:
    memory = Memory()
    right, wrong = (
        judged(patch("stop()"), valid=True),
        judged(patch("go()"), valid=False, reason="exploit_survives"),
    )
    memory.add(right)
    memory.add(wrong)
    recall = memory.recall(sketch(parse(patch("go()", "wait()"))), 0.5)
    assert recall.valid is not None
    assert recall.valid.identity == right.identity
    assert recall.invalid is not None
    assert (recall.invalid.identity, recall.invalid.reason) == (wrong.identity, "exploit_survives")
    assert recall.invalid.similarity > recall.valid.similarity
    assert dict(zip(COLUMNS, recall.row, strict=True))["nearest_exploit"] == 1.0


def test_a_later_verdict_on_the_same_patch_takes_the_place_of_the_earlier() -> None:
    memory = Memory()
    memory.add(judged(patch("stop()"), valid=True))
    memory.add(judged(patch("stop()"), valid=False))
    row = recalled(memory, patch("stop()"))
    assert (row["known"], row["valid"], row["invalid"]) == (1.0, 0.0, 1.0)


def test_a_full_memory_forgets_its_older_half_and_is_as_if_it_had_never_known_it() -> None:
    texts = [patch(f"stop({n})") for n in range(10)]
    full, young = Memory(most=8), Memory(most=8)
    for number, text in enumerate(texts):
        full.add(judged(text, valid=number % 3 == 0))
    for number, text in list(enumerate(texts))[4:]:
        young.add(judged(text, valid=number % 3 == 0))
    assert len(full) == 6
    asked = sketch(parse(patch("stop(6)", "go()")))
    np.testing.assert_array_equal(full.recall(asked, 0.4).row, young.recall(asked, 0.4).row)


def test_a_memory_for_one_verdict_keeps_the_last() -> None:
    memory, texts = Memory(most=1), [patch(f"stop({n})") for n in range(3)]
    for text in texts:
        memory.add(judged(text, valid=True))
    assert [kept.identity for kept in memory.judged] == [parse(texts[-1]).identity]


def test_what_is_recalled_does_not_depend_on_the_order_of_the_verdicts() -> None:
    patches = [judged(patch(f"stop({n})", "go()" if n % 2 else "wait()"), valid=n % 3 == 0) for n in range(9)]
    forward, backward = Memory(), Memory()
    for one, other in zip(patches, reversed(patches), strict=True):
        forward.add(one)
        backward.add(other)
    asked = sketch(parse(patch("stop(40)", "wait()", "go()")))
    first, second = forward.recall(asked, 0.4), backward.recall(asked, 0.4)
    ties = [
        n for n, name in enumerate(COLUMNS) if "_here_" in name or "_there_" in name or "_of_nearest" in name
    ]
    np.testing.assert_allclose(np.delete(first.row, ties), np.delete(second.row, ties))


@pytest.mark.parametrize("text", ["+" * 3, "+'" + "x" * 5_000, '+"\\' * 300, "+" + "é\u2028" * 50])
def test_hostile_lines_are_read_in_bounded_time(text: str) -> None:
    body = f"--- a/a.py\n+++ b/a.py\n@@ -0,0 +1 @@\n{text}\n"
    assert len(sketch(parse(body)).parts) == len(PARTS)


def test_a_sketch_is_bounded() -> None:
    lines = "".join(f"+name_{n} = {n}\n" for n in range(9_000))
    parts = sketch(parse(f"--- a/a.py\n+++ b/a.py\n@@ -0,0 +1,9000 @@\n{lines}")).parts
    assert max(map(len, parts)) == 1_000
