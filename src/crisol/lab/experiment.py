"""Experiments: one YAML file for one question, and the parameters that its notebook accepts.

An experiment names a notebook and sets some of the notebook's parameters. The notebook's own ``parameters``
cell declares all parameters and their types; its defaults make a short test run. A parameter that the cell
does not declare raises an error before the notebook runs; the error names the parameter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from crisol.errors import ExperimentError
from crisol.lab.parameters import Parameter, read_parameters

__all__ = ["RESERVED", "NotebookExperiment", "dump", "load_experiment", "overrides", "resolve"]

RESERVED = frozenset({"run_id"})
"""The parameters that only the runner may set; an experiment file must not name them."""

_VERSION = 1
_LARGEST = 64 * 1024
_KEYS: dict[str, type] = {"version": int, "question": str, "notebook": str, "seed": int, "parameters": dict}
_OPTIONAL = frozenset({"parameters"})


@dataclass(frozen=True, slots=True)
class NotebookExperiment:
    """An experiment file: a question, the notebook that answers it, a seed and parameters.

    ``version`` is the version of the file format, which is 1. ``notebook`` is the absolute path of the
    notebook. ``seed`` is between 0 and 2**32 - 1. ``parameters`` maps the names of the notebook's parameters
    to the values that the file sets. ``path`` is the path of the file.
    """

    version: int
    question: str
    notebook: Path
    seed: int
    parameters: Mapping[str, Any] = field(default_factory=dict)
    path: Path = Path()

    @property
    def name(self) -> str:
        """The name of the experiment file without ``.yaml``; MLflow's experiment has the same name."""
        return self.path.stem


def load_experiment(path: Path) -> NotebookExperiment:
    """Read an experiment file (YAML), check its keys and parameters, and return the experiment.

    The path of the notebook is relative to the folder of the experiment file or, if no notebook is there, to
    the parent of that folder. Raises :class:`~crisol.errors.ExperimentError` where the file or the notebook
    cannot be read, and for a key or parameter that is missing, unknown or of the wrong type; the message
    names the file and the key.
    """
    data = _read_mapping(path)
    for key in data:
        if key not in _KEYS:
            raise ExperimentError(f"{path}: unknown key {key!r}; known are {', '.join(_KEYS)}")
    for key, kind in _KEYS.items():
        if key not in data:
            if key in _OPTIONAL:
                continue
            raise ExperimentError(f"{path}: key {key!r} is missing")
        if not isinstance(data[key], kind) or (kind is int and isinstance(data[key], bool)):
            raise ExperimentError(f"{path}: {key!r} must be {kind.__name__}, not {type(data[key]).__name__}")
    if data["version"] != _VERSION:
        raise ExperimentError(f"{path}: 'version' is {data['version']}; this Crisol reads version {_VERSION}")
    if not 0 <= data["seed"] < 2**32:
        raise ExperimentError(f"{path}: 'seed' must be between 0 and 2**32 - 1")
    if not data["question"].strip():
        raise ExperimentError(f"{path}: 'question' is empty; say what the experiment asks")
    experiment = NotebookExperiment(
        version=data["version"],
        question=data["question"].strip(),
        notebook=_find_notebook(path, data["notebook"]),
        seed=data["seed"],
        parameters=data.get("parameters", {}),
        path=path,
    )
    _check(experiment)
    return experiment


def overrides(options: Iterable[str]) -> dict[str, str]:
    """Return texts ``name=value`` as a dict; of a repeated name the last value counts.

    The name ends at the first ``=``; the value may contain more of them, or be empty. Raises
    :class:`~crisol.errors.ExperimentError` for a text without ``=``.
    """
    values = {}
    for option in options:
        name, sign, value = option.partition("=")
        if not sign:
            raise ExperimentError(f"-P {option}: write it as name=value")
        values[name.strip()] = value
    return values


def resolve(experiment: NotebookExperiment, changes: Mapping[str, str]) -> NotebookExperiment:
    """Return a copy of the experiment with a value for each parameter of its notebook.

    The value comes from ``changes``, else from the experiment file, else from the notebook's default.
    ``changes`` maps the name of a parameter, or ``seed``, to a value as text, in the notation of
    :meth:`crisol.lab.parameters.Parameter.parse`. Raises :class:`~crisol.errors.ExperimentError` for an
    unknown name, and for a value of the wrong type or outside the allowed values.
    """
    declared = _check(experiment)
    values = {name: parameter.default for name, parameter in declared.items()}
    values |= {name: declared[name].accept(value) for name, value in experiment.parameters.items()}
    seed = experiment.seed
    for name, text in changes.items():
        if name not in declared and name != "seed":
            raise _unknown(name, declared, f"-P {name}={text}")
        if name == "seed":
            seed = _seed(text)
            continue
        try:
            values[name] = declared[name].parse(text)
        except ExperimentError as error:
            raise ExperimentError(f"-P {name}={text}: {error}") from None
    return replace(experiment, parameters=values, seed=seed)


def dump(experiment: NotebookExperiment) -> str:
    """Return an experiment as the text of an experiment file (YAML).

    :func:`load_experiment` can read it if it is stored at ``experiment.path``.
    """
    try:
        notebook = experiment.notebook.relative_to(experiment.path.resolve().parent.parent)
    except ValueError:
        notebook = experiment.notebook
    data = {
        "version": experiment.version,
        "question": experiment.question,
        "notebook": str(notebook),
        "seed": experiment.seed,
        "parameters": dict(experiment.parameters),
    }
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True)


def _check(experiment: NotebookExperiment) -> dict[str, Parameter]:
    """Check the parameters that an experiment file sets; return all parameters that it may set, by name."""
    declared = {
        name: parameter
        for name, parameter in read_parameters(experiment.notebook).items()
        if name not in RESERVED and name != "seed"
    }
    for name, value in experiment.parameters.items():
        where = f"{experiment.path}: parameters.{name}"
        if name == "seed":
            raise ExperimentError(f"{where}: the seed is a key of its own, next to 'parameters'")
        if name not in declared:
            raise _unknown(name, declared, where)
        try:
            declared[name].accept(value)
        except ExperimentError as error:
            raise ExperimentError(f"{where}: {error}") from None
    return declared


def _unknown(name: str, declared: Mapping[str, Parameter], where: str) -> ExperimentError:
    return ExperimentError(
        f"{where}: unknown parameter {name!r}; known are {', '.join(sorted({*declared, 'seed'}))}"
    )


def _seed(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) >= 2**32:
        raise ExperimentError(f"-P seed={text}: a seed is a whole number between 0 and 2**32 - 1")
    return int(text)


def _find_notebook(path: Path, name: str) -> Path:
    for folder in (path.resolve().parent, path.resolve().parent.parent):
        candidate = folder / name
        if candidate.suffix == ".py" and candidate.is_file():
            return candidate.resolve()
    raise ExperimentError(
        f"{path}: 'notebook': no .py notebook at {name!r}, seen from the file or its parent folder"
    )


def _read_mapping(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _LARGEST:
            raise ExperimentError(
                f"{path}: larger than {_LARGEST} bytes; an experiment file is a page at most"
            )
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=_StrictLoader)  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise ExperimentError(f"{path}: cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise ExperimentError(f"{path}: not YAML: {error}") from None
    if not isinstance(data, dict):
        raise ExperimentError(f"{path}: must be a mapping with the keys {', '.join(_KEYS)}")
    return data


class _StrictLoader(yaml.SafeLoader):
    """A YAML loader that refuses a repeated key; ``SafeLoader`` would silently keep the last value."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys: set[str] = set()
        for key, _ in node.value:
            # SafeLoader itself refuses lists and mappings as keys.
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in keys:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key.value!r} twice", key.start_mark
                )
            keys.add(key.value)
        return super().construct_mapping(node, deep)
