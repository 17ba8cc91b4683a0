"""The front door is complete, true and cheap."""

from __future__ import annotations

import ast
import doctest
import subprocess
import sys
from pathlib import Path

import pytest

import crisol
from crisol import records, workbench


def test_every_public_name_leads_home() -> None:
    """What ``__all__`` names can be had, and a type checker sees the same names."""
    for name in crisol.__all__:
        assert getattr(crisol, name) is not None
    tree = ast.parse(Path(crisol.__file__).read_text())
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {alias.name for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert seen == set(crisol.__all__)


def test_every_record_is_public() -> None:
    """A noun that travels from hop to hop can be imported from the front."""
    assert set(records.__all__) <= set(crisol.__all__)


def test_no_room_hides_a_verb() -> None:
    """Importing a submodule sets a name in the package: no room may have the name of a verb."""
    rooms = {path.stem for path in Path(crisol.__file__).parent.iterdir()}
    assert not rooms & set(crisol.__all__)


def test_a_wrong_name_is_an_attribute_error() -> None:
    """As of any other module."""
    with pytest.raises(AttributeError, match="nonsense"):
        _ = crisol.nonsense


def test_the_import_costs_nothing() -> None:
    """Neither scikit-learn nor MLflow is loaded before it is used."""
    code = (
        "import sys, crisol; print(len([m for m in sys.modules if m.partition('.')[0] in {'sklearn', "
        "'mlflow', 'pandas'}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"


@pytest.mark.integration
def test_every_verb_shows_an_example_that_holds() -> None:
    """They are read from the top, as one session at the prompt."""
    space: dict[str, object] = {"crisol": crisol}
    finder, runner = doctest.DocTestFinder(recurse=False), doctest.DocTestRunner()
    verbs = (
        "find_vulnerability",
        "wargame",
        "read_patches",
        "features",
        "evaluate",
        "train",
        "predict",
        "decide",
    )
    for name in (*verbs, "load_model", "serve"):
        (example,) = finder.find(getattr(workbench, name), name, globs=space)
        assert example.examples, name
        example.globs = space
        assert runner.run(example, clear_globs=False).failed == 0, name


def test_the_example_holds() -> None:
    """The docstring shows what happens."""
    assert doctest.testmod(crisol) == (0, 2)
