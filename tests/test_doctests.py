"""Every example of a docstring runs."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import crisol

SOURCE = Path(crisol.__file__).parent
APART = {"crisol", "crisol.workbench"}
"""Their examples share names; ``tests/test_front_door.py`` runs them."""


def _with_examples() -> list[str]:
    paths = sorted(path for path in SOURCE.rglob("*.py") if ">>> " in path.read_text())
    dotted = [".".join(path.relative_to(SOURCE.parent).with_suffix("").parts) for path in paths]
    return [name for name in (module.removesuffix(".__init__") for module in dotted) if name not in APART]


@pytest.mark.parametrize("name", _with_examples())
def test_the_examples_give_what_they_show(name: str) -> None:
    """An example that needs a server is marked as skipped."""
    assert doctest.testmod(import_module(name)).failed == 0
