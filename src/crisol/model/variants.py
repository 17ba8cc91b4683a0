"""Model variants: what a YAML entry names, and the scikit-learn pipeline that it stands for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from lightgbm import LGBMClassifier
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from crisol.errors import ExperimentError
from crisol.model.matrix import Leading, PatchMatrix, Squash

__all__ = ["Variant", "load_variants"]

_Kind = Literal["forest", "extra", "boosting", "lightgbm", "linear", "mean"]
_Value = bool | int | float | str | None

_CLASSES: dict[str, tuple[Any, dict[str, object]]] = {
    "forest": (RandomForestClassifier, {"n_jobs": 1}),
    "extra": (ExtraTreesClassifier, {"n_jobs": 1}),
    "boosting": (HistGradientBoostingClassifier, {"early_stopping": False}),
    "lightgbm": (
        LGBMClassifier,
        {"n_jobs": 1, "verbosity": -1, "deterministic": True, "force_row_wise": True},
    ),
    "linear": (LogisticRegression, {"max_iter": 1000}),
}
_RESERVED = frozenset({"random_state", "n_jobs", "verbose", "verbosity", "warm_start", "objective", "device"})
_MAX_BYTES = 1 << 20
_MAX_POINTS = 16


class Variant(BaseModel):
    """One way to predict: which columns it reads, which estimator, which hyper-parameters.

    ``features`` is ``classic`` (the original's nine), ``rich`` (all of the diff) or ``source`` (those of the source, too).

    ``model`` is ``forest``, ``extra`` (extremely randomised trees), ``boosting`` (histogram gradient boosting),
    ``lightgbm``, ``linear`` (logistic regression over scaled features and weighted words) or ``mean`` (the mean
    probability of ``members``). ``words`` is the number of hashed columns for pieces of text, 0 for none;
    ``feature_weight`` is what the scaled features count beside the words of a linear model, whose rows have length 1.
    Each point of ``grid`` changes some of ``parameters``; training sets choose among them, see :mod:`crisol.model.search`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=100, pattern=r"^[a-z][a-z0-9_]*$")
    description: str = Field(min_length=1)
    model: _Kind
    features: Literal["classic", "rich", "source"] = "rich"
    words: int = Field(default=0, ge=0, le=1 << 16)
    feature_weight: float = Field(default=1.0, ge=0.0, le=100.0)
    parameters: dict[str, _Value] = {}
    grid: tuple[dict[str, _Value], ...] = Field(default=(), max_length=_MAX_POINTS)
    members: tuple[Variant, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Variant:
        if (self.model == "mean") != bool(self.members):
            raise ValueError("a mean names its members, and nothing else does")
        if any(one.members or one.features != self.features for one in self.members):
            raise ValueError("members of a mean read the same features and are no means themselves")
        if len({one.words for one in self.members if one.words}) > 1:
            raise ValueError("members of a mean that read words read equally many columns of them")
        if self.model == "mean":
            known: set[str] = set()
        else:
            kind, _ = _CLASSES[self.model]
            known = set(kind().get_params()) - _RESERVED
        if unknown := sorted(set().union(self.parameters, *self.grid) - known):
            raise ValueError(
                f"{self.model} has no parameter {', '.join(unknown)}; known are {', '.join(sorted(known))}"
            )
        return self

    @property
    def compiles(self) -> bool:
        """Whether the fitted model has a compiled form: trees over features alone, served in a fraction of a millisecond."""
        return not self.words and self.model not in {"linear", "mean"} and not self.reads_source

    @property
    def reads_source(self) -> bool:
        """Whether it needs the vulnerable source beside the diff, see :mod:`crisol.model.source`."""
        return self.features == "source"

    @property
    def points(self) -> tuple[Variant, ...]:
        """The variant with each point of its grid in turn."""
        return tuple(
            self.model_copy(update={"parameters": {**self.parameters, **point}, "grid": ()})
            for point in self.grid
        )

    def estimator(self, random_state: int) -> Pipeline:
        """Return the unfitted pipeline: ``patches`` reads labelled patches, ``model`` gives probabilities."""
        width = max([self.words, *(one.words for one in self.members)])
        matrix = PatchMatrix(classic=self.features == "classic", words=width, source=self.reads_source)
        return Pipeline([("patches", matrix), ("model", self.classifier(matrix, random_state))])

    def classifier(self, matrix: PatchMatrix, random_state: int) -> Any:
        """Return the unfitted estimator over the rows that ``matrix`` makes."""
        if self.members:
            members = [(one.name, one.classifier(matrix, random_state)) for one in self.members]
            return VotingClassifier(members, voting="soft")
        kind, fixed = _CLASSES[self.model]
        model = kind(**fixed, **self.parameters, random_state=random_state)
        steps: list[tuple[str, Any]] = []
        if self.words != matrix.words:
            steps.append(("features", Leading(matrix.columns)))
        if self.model == "linear":
            scaled = Pipeline([("squash", Squash()), ("scale", StandardScaler())])
            parts: list[tuple[str, Any, slice]] = [("features", scaled, slice(0, matrix.columns))]
            if self.words:
                weighted = TfidfTransformer(sublinear_tf=True)
                parts.append(("words", weighted, slice(matrix.columns, matrix.columns + self.words)))
            weights = {"features": self.feature_weight}
            steps.append(
                ("columns", ColumnTransformer(parts, sparse_threshold=1.0, transformer_weights=weights))
            )
        return Pipeline([*steps, ("classifier", model)]) if steps else model


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid")

    description: str
    model: _Kind
    features: Literal["classic", "rich", "source"] = "rich"
    words: int = 0
    feature_weight: float = 1.0
    parameters: dict[str, _Value] = {}
    grid: tuple[dict[str, _Value], ...] = ()
    members: tuple[str, ...] = ()


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: Literal[1]
    variants: Annotated[dict[str, _Entry], Field(min_length=1, max_length=100)]


def load_variants(path: Path | str) -> dict[str, Variant]:
    """Read a YAML file of variants, in its order; ``members`` of a mean name entries above it.

    Raises :class:`~crisol.errors.ExperimentError` on an unknown key, model or parameter, each with its place.
    """
    path = Path(path)
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ExperimentError(f"{path}: larger than {_MAX_BYTES} bytes; this is no list of variants")
        content = _File.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise ExperimentError(f"{path}: cannot be read: {error}") from None
    except ValidationError as error:
        raise ExperimentError(f"{path}: {_problems(error)}") from None
    variants: dict[str, Variant] = {}
    for name, entry in content.variants.items():
        if unknown := [member for member in entry.members if member not in variants]:
            raise ExperimentError(
                f"{path}: {name}: members that no entry above defines: {', '.join(unknown)}"
            )
        members = tuple(variants[member] for member in entry.members)
        try:
            variants[name] = Variant.model_validate(
                {**entry.model_dump(exclude={"members"}), "name": name, "members": members}
            )
        except ValidationError as error:
            raise ExperimentError(f"{path}: {name}: {_problems(error)}") from None
    return variants


def _problems(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, one['loc'])) or 'entry'}: {one['msg']}" for one in error.errors())
