"""Each metric family explains itself, and something in the service moves it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from crisol.metrics import FAMILIES, Family, MetricKind, names
from crisol.service import instruments

UNITS = {
    "_seconds": "[Ss]econds",
    "_bytes": "[Bb]ytes",
    "_percentage": "[Pp]ercentage",
    "_tokens": "[Tt]okens",
    "_share": "[Ss]hare",
    "_rate": "[Ss]hare",
}
CONSTANTS = {name: family for name, family in vars(names).items() if isinstance(family, Family)}


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_a_help_text_is_a_sentence_that_names_the_unit(family: Family) -> None:
    assert re.fullmatch(r"[A-Z][^.]*(\d\.\d[^.]*)*\.", family.help), family.help
    assert len(family.help.split()) >= 8, family.help
    for ending, unit in UNITS.items():
        if family.name.removesuffix("_total").endswith(ending):
            assert re.search(unit, family.help), (family.name, family.help)


def test_help_texts_differ_and_labels_have_their_names() -> None:
    assert len({family.help for family in FAMILIES.values()}) == len(FAMILIES)
    for family in FAMILIES.values():
        assert bool(family.bounds) == (family.kind is MetricKind.HISTOGRAM), family.name
        assert family.name.endswith("_total") == (family.kind is MetricKind.COUNTER), family.name


@pytest.mark.parametrize("name", CONSTANTS)
def test_every_family_is_moved_by_the_instruments(name: str) -> None:
    """`tests/service/test_outages.py` lets each of them move; this finds one that nothing names."""
    assert f"names.{name}" in Path(instruments.__file__).read_text(encoding="utf-8")
