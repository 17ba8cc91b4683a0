"""What is known of a vulnerability ends with its content, and with the room for others."""

from __future__ import annotations

from crisol.validation.by_content import ByContent


def test_a_vulnerability_that_changes_forgets() -> None:
    values: ByContent[list[int]] = ByContent(list)
    values.of("flaw", "old").append(1)
    assert values.get("flaw", "old") == values.of("flaw", "old") == [1]
    assert values.get("flaw", "new") is None
    assert values.of("flaw", "new") == []
    assert values.get("flaw", "old") is None


def test_the_least_recently_used_is_dropped() -> None:
    values: ByContent[list[int]] = ByContent(list, most=2)
    values.of("first", "x")
    values.of("second", "x")
    values.get("first", "x")
    values.of("third", "x")
    assert values.get("second", "x") is None
    assert values.get("first", "x") == []
