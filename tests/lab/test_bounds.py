from __future__ import annotations

from pathlib import Path

import pytest

from crisol.errors import ExperimentError
from crisol.lab.bounds import domain
from crisol.lab.parameters import read_parameters

NOTEBOOK = """\
# %% tags=["parameters"]
share: float | None = 0.5  # (0, 1] of the patches
outer: str = "group"  # {group, project} by what folds are made
rates: list[float] = [1.0]  # [0, inf) requests a second
free: int = 3  # of (0, 1) patches
"""


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    path = tmp_path / "toy.py"
    path.write_text(NOTEBOOK)
    return path


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("share", "0", r"within \(0, 1\], not 0\.0"),
        ("share", "1.5", r"within \(0, 1\]"),
        ("outer", "bug", "one of group, project, not 'bug'"),
        ("rates", "1, -2", r"within \[0, inf\)"),
    ],
)
def test_a_value_outside_of_what_the_comment_admits_is_refused(
    notebook: Path, name: str, text: str, said: str
) -> None:
    with pytest.raises(ExperimentError, match=said):
        read_parameters(notebook)[name].parse(text)


def test_what_the_comment_admits_is_taken(notebook: Path) -> None:
    parameters = read_parameters(notebook)
    assert parameters["share"].parse("1") == 1.0
    assert parameters["share"].parse("none") is None
    assert parameters["outer"].parse("project") == "project"
    assert parameters["rates"].parse("0, 2") == [0.0, 2.0]
    assert parameters["free"].parse("-7") == -7


def test_a_default_that_its_own_comment_refuses_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "toy.py"
    path.write_text(NOTEBOOK.replace("0.5  #", "0.0  #"))
    with pytest.raises(ExperimentError, match="parameters cell, line 1"):
        read_parameters(path)


@pytest.mark.parametrize("comment", ["", "[1, 2 of them", "(a, b) names", "{}", "[1, 2]is glued"])
def test_other_comments_admit_everything(comment: str) -> None:
    assert domain(comment) is None
