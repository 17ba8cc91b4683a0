from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from crisol.errors import ExperimentError
from crisol.lab.experiment import dump, load_experiment, resolve
from crisol.lab.parameters import Parameter

if TYPE_CHECKING:
    from pathlib import Path

NOTEBOOK = """\
# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% tags=["parameters"]
seed = 0
run_id = ""
rate: float = 0.5  # a comment with = and # in it
limit: float | None = None
jobs = 2
strict: bool = True
names: list[str] = ["forest"]
corpus: str = ""

# %%
print(rate)
"""

EXPERIMENT = """\
version: 1
question: Does it hold?
notebook: notebooks/toy.py
seed: 7
parameters:
  jobs: 3
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "toy.py").write_text(NOTEBOOK)
    (tmp_path / "experiments").mkdir()
    file = tmp_path / "experiments" / "toy.yaml"
    file.write_text(EXPERIMENT)
    return file


def test_an_experiment_sets_some_parameters_and_the_notebook_the_rest(path: Path) -> None:
    resolved = resolve(load_experiment(path), {"rate": "0.25", "limit": "3", "strict": "no", "names": "a, b"})
    assert resolved.seed == 7
    assert resolved.parameters == {
        "rate": 0.25,
        "limit": 3.0,
        "jobs": 3,
        "strict": False,
        "names": ["a", "b"],
        "corpus": "",
    }


def test_what_is_dumped_can_be_loaded_again(path: Path) -> None:
    resolved = resolve(load_experiment(path), {"rate": "0.25", "seed": "11"})
    path.write_text(dump(resolved))
    again = load_experiment(path)
    assert (again.seed, again.parameters, again.notebook) == (11, resolved.parameters, resolved.notebook)


def test_a_union_with_none_takes_none_and_the_type(path: Path) -> None:
    assert resolve(load_experiment(path), {"limit": "none"}).parameters["limit"] is None


def test_a_string_parameter_takes_any_text_as_it_stands(path: Path) -> None:
    assert resolve(load_experiment(path), {"corpus": "1e3"}).parameters["corpus"] == "1e3"


@pytest.mark.parametrize("name", ["rat", "run_id", "__class__", ""])
def test_an_unknown_parameter_is_an_error_that_lists_the_known(path: Path, name: str) -> None:
    """The run's own parameters belong to the runner, and count as unknown."""
    with pytest.raises(
        ExperimentError, match=r"unknown parameter .*known are corpus, jobs, limit, names, rate, seed"
    ):
        resolve(load_experiment(path), {name: "1"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("jobs", "two"),
        ("jobs", "1.5"),
        ("rate", "nan"),
        ("rate", "none"),
        ("strict", "maybe"),
        ("seed", "-1"),
        ("seed", "4294967296"),
        ("names", "[a"),
    ],
)
def test_an_override_of_the_wrong_type_names_itself(path: Path, name: str, value: str) -> None:
    with pytest.raises(ExperimentError, match=f"-P {name}="):
        resolve(load_experiment(path), {name: value})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("version: 1", "version: 2", "'version' is 2"),
        ("version: 1", "version: true", "'version' must be int, not bool"),
        ("seed: 7", "sed: 7", "unknown key 'sed'"),
        ("seed: 7", "seed: seven", "'seed' must be int, not str"),
        ("seed: 7", "seed: -7", "'seed' must be between"),
        ("seed: 7", "", "'seed' is missing"),
        ("seed: 7", "seed: 7\nseed: 8", "'seed' twice"),
        ("Does it hold?", "' '", "'question' is empty"),
        ("toy.py", "gone.py", "'notebook'"),
        ("jobs: 3", "jobs: three", r"parameters\.jobs: must be int, not str"),
        ("jobs: 3", "jobs: true", r"parameters\.jobs: must be int, not bool"),
        ("jobs: 3", "job: 3", "unknown parameter 'job'"),
        ("jobs: 3", "run_id: x", "unknown parameter 'run_id'"),
        ("jobs: 3", "seed: 3", "a key of its own"),
        ("jobs: 3", "rate: .inf", "finite"),
        ("version: 1", "version: [", "not YAML"),
        ("version: 1", "? [version]\n: 1", "not YAML"),
        ("version: 1", "version: !!python/object/apply:os.getcwd []", "not YAML"),
    ],
)
def test_a_wrong_file_is_refused_with_the_file_and_the_key(
    path: Path, old: str, new: str, message: str
) -> None:
    path.write_text(EXPERIMENT.replace(old, new))
    with pytest.raises(ExperimentError, match=message) as caught:
        load_experiment(path)
    assert "toy.yaml" in str(caught.value)


@pytest.mark.parametrize("text", ["", "- a\n", "a: &a [*a]\n", "\x00", "[" * 5000])
def test_what_is_not_a_mapping_is_refused(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(ExperimentError):
        load_experiment(path)


def test_a_file_that_is_not_there_or_too_large_is_refused(path: Path) -> None:
    with pytest.raises(ExperimentError, match="cannot be read"):
        load_experiment(path.with_name("gone.yaml"))
    path.write_text(EXPERIMENT + "#" * 70_000)
    with pytest.raises(ExperimentError, match="larger than"):
        load_experiment(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("jobs = 2", "jobs = 1 + n", "not a literal"),
        ("jobs = 2", "import os", "may stand here"),
        ("jobs = 2", "jobs: bytes = 2", "not known"),
        ("jobs = 2", "jobs = None", "annotate it"),
        ("jobs = 2", "jobs: int = 2.5", "must be int"),
        ("jobs = 2", "jobs = (", "parameters cell, line"),
        ("jobs = 2", "rate = 2.0", "twice"),
        ('# %% tags=["parameters"]', "# %%", "0 cells are tagged"),
    ],
)
def test_a_parameters_cell_holds_literals_only(path: Path, old: str, new: str, message: str) -> None:
    """Whatever stands there is parsed, never run."""
    notebook = path.parent.parent / "notebooks" / "toy.py"
    notebook.write_text(NOTEBOOK.replace(old, new))
    with pytest.raises(ExperimentError, match=message):
        load_experiment(path)


@pytest.mark.parametrize(
    "text", ["[2026-01-02]", "[2026-01-02T03:04:05]", "!!set {a}", "&a [*a]", "[.nan]", "[!!binary aGk=]"]
)
def test_a_list_parameter_holds_what_json_can_hold(text: str) -> None:
    """Anything else would fail in papermill, after a run was opened."""
    with pytest.raises(ExperimentError, match="cannot hold"):
        Parameter("variants", [], list).parse(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{a: b}", r"must be list\[str\]; a member must be str, not dict \(\{'a': 'b'\}\)"),
        ("[forest, [boosting]]", "a member must be str, not list"),
        ("[forest, 3]", "not int .3.; quote it as text"),
        ("[forest, null]", "a member must be str, not NoneType"),
    ],
)
def test_a_list_parameter_holds_members_of_its_type(path: Path, text: str, message: str) -> None:
    """The notebook would fail at the first use, after a run was opened; the file is held to it, too."""
    with pytest.raises(ExperimentError, match=message):
        resolve(load_experiment(path), {"names": text})
    path.write_text(EXPERIMENT + f"  names: {text if text.startswith('[') else f'[{text}]'}\n")
    with pytest.raises(ExperimentError, match=message):
        load_experiment(path)


def test_whole_numbers_become_members_of_a_list_of_floats(path: Path) -> None:
    """As they do for a parameter that is one float."""
    notebook = path.parent.parent / "notebooks" / "toy.py"
    notebook.write_text(NOTEBOOK.replace('names: list[str] = ["forest"]', "rates: list[float] | None = [1]"))
    experiment = load_experiment(path)
    assert repr(resolve(experiment, {}).parameters["rates"]) == "[1.0]"
    assert repr(resolve(experiment, {"rates": "2, 0.5"}).parameters["rates"]) == "[2.0, 0.5]"
    with pytest.raises(ExperimentError, match=r"list\[float\] \| None; a member must be float, not str"):
        resolve(experiment, {"rates": "fast"})
