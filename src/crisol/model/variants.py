"""Model variants: the entries of a YAML file, and the scikit-learn pipelines that they describe."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import yaml
from lightgbm import LGBMClassifier
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from sklearn.base import clone
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

__all__ = ["Given", "Recipe", "Variant", "load_variants", "seeded"]

_KIND = r"forest|extra|boosting|lightgbm|linear|mean|[A-Za-z_][\w.]*:[A-Za-z_]\w*"
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
_TRUSTED_PACKAGES = frozenset({"sklearn", "lightgbm"})
"""The packages whose classes a variant may name without ``trust``: they are installed with Crisol."""


class Variant(BaseModel):
    """A model to compare, described by its features, its estimator and its hyper-parameters.

    >>> near = "sklearn.neighbors:KNeighborsClassifier"
    >>> variant = Variant(name="near", description="Nearest neighbours.", model=near)
    >>> variant.estimator(0)[-1]
    KNeighborsClassifier()

    - ``features``: ``classic`` (the nine classic features), ``rich`` (all features of the diff), ``source``
      (those of ``rich`` and features of the vulnerable source) or ``fix`` (those of ``source`` and the
      distance to the known fix).
    - ``words``: the number of columns of hashed words, 0 for none.
    - ``model``: ``forest``, ``extra`` (extremely randomised trees), ``boosting`` (histogram gradient
      boosting), ``lightgbm``, ``linear`` (logistic regression), ``mean`` (the mean probability of the
      variants in ``members``), or a scikit-learn classifier as ``module:Class``.
    - ``trust``: True to allow a class of a package other than scikit-learn and LightGBM; its import runs code
      of that package.
    - ``parameters``: the hyper-parameters, by the estimator's own names. The values are numbers, texts,
      booleans or None. Names such as ``random_state`` and ``n_jobs`` are refused.
    - ``grid``: at most 16 entries, each of which replaces some hyper-parameters; a search chooses one entry.
    - ``feature_weight``: the factor by which a ``linear`` model multiplies the scaled features, but not the
      words.

    Raises pydantic's ValidationError for an unknown model or parameter, and for fields that contradict each
    other.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=100, pattern=r"^[a-z][a-z0-9_]*$")
    description: str = Field(min_length=1)
    model: str
    trust: bool = False
    features: Literal["classic", "rich", "source", "fix"] = "rich"
    words: int = Field(default=0, ge=0, le=1 << 16)
    feature_weight: float = Field(default=1.0, ge=0.0, le=100.0)
    parameters: dict[str, _Value] = {}
    grid: tuple[dict[str, _Value], ...] = Field(default=(), max_length=_MAX_POINTS)
    members: tuple[Variant, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Variant:
        if not re.fullmatch(_KIND, self.model):
            raise ValueError(
                f"no model is called {self.model!r}; known are {', '.join(_CLASSES)}, mean, and module:Class"
            )
        if (self.model == "mean") != bool(self.members):
            raise ValueError("a mean names its members, and nothing else does")
        if any(member.members or member.features != self.features for member in self.members):
            raise ValueError("members of a mean read the same features and are no means themselves")
        if ":" in self.model and self.words:
            raise ValueError("a class of one's own reads the features by their names, and no words")
        if len({member.words for member in self.members if member.words}) > 1:
            raise ValueError("members of a mean that read words read equally many columns of them")
        if self.model == "mean":
            allowed: set[str] = set()
        else:
            kind, fixed = self._class()
            allowed = set(kind().get_params()) - _RESERVED - set(fixed)
        if unknown := sorted(set().union(self.parameters, *self.grid) - allowed):
            raise ValueError(
                f"{self.model} has no parameter {', '.join(unknown)}; known are {', '.join(sorted(allowed))}"
            )
        return self

    @property
    def reads_source(self) -> bool:
        """Whether the variant also reads features of the vulnerable source.

        A model of such a variant can be measured, but not served: a diff does not contain the source.
        """
        return self.features in {"source", "fix"}

    @property
    def points(self) -> tuple[Variant, ...]:
        """One variant for each entry of ``grid``, in order; each has an empty ``grid``.

        The hyper-parameters of the entry replace those of the same name in ``parameters``; the others stay.
        The tuple is empty for a variant without a grid.
        """
        return tuple(
            self.model_copy(update={"parameters": {**self.parameters, **point}, "grid": ()})
            for point in self.grid
        )

    @property
    def fingerprint(self) -> str:
        """The variant as JSON; a trained model's version contains a hash of this text."""
        return self.model_dump_json()

    def estimator(self, random_state: int) -> Pipeline:
        """Return the unfitted scikit-learn pipeline, which takes labelled patches.

        Its step ``patches`` computes a matrix of patches, its step ``model`` predicts from that matrix.
        ``random_state`` seeds the estimator.
        """
        width = max([self.words, *(member.words for member in self.members)])
        matrix = PatchMatrix(
            classic=self.features == "classic",
            words=width,
            source=self.reads_source,
            fix=self.features == "fix",
            frame=":" in self.model,
        )
        return Pipeline([("patches", matrix), ("model", self.classifier(matrix, random_state))])

    def classifier(self, matrix: PatchMatrix, random_state: int) -> Any:
        """Return the unfitted estimator that predicts from the result of the transformer ``matrix``.

        The pipeline that :meth:`estimator` returns has this transformer as its first step and this estimator
        as its second. ``random_state`` seeds the estimator.
        """
        if self.members:
            members = [(member.name, member.classifier(matrix, random_state)) for member in self.members]
            return VotingClassifier(members, voting="soft")
        kind, fixed = self._class()
        model = seeded(kind(**fixed, **self.parameters), random_state)
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

    def _class(self) -> tuple[Any, dict[str, object]]:
        """Return the class of the estimator, and the hyper-parameters that Crisol always passes to it.

        Raises ``ValueError`` for a class that is not trusted, cannot be imported, or is no classifier.
        """
        if ":" not in self.model:
            return _CLASSES[self.model]
        module, _, name = self.model.partition(":")
        if module.partition(".")[0] not in _TRUSTED_PACKAGES and not self.trust:
            raise ValueError(
                f"{self.model} is no class of {' or '.join(sorted(_TRUSTED_PACKAGES))}: importing it runs "
                "its code, and so does reading a model that holds it; write `trust: true` if you know "
                "where it comes from"
            )
        try:
            kind = getattr(import_module(module), name)
        except (ImportError, AttributeError) as error:
            raise ValueError(f"{self.model} cannot be imported: {error}") from None
        if not (hasattr(kind, "get_params") and hasattr(kind, "fit") and hasattr(kind, "predict_proba")):
            raise ValueError(
                f"{self.model} has not get_params, fit and predict_proba, as scikit-learn's classifiers do"
            )
        return kind, {}


@dataclass(frozen=True, slots=True)
class Given:
    """A caller's own estimator (``model``), for use in place of a :class:`Variant`.

    The estimator reads a DataFrame with one column for each feature of the diff. A pipeline that begins with
    a :class:`~crisol.model.matrix.PatchMatrix` reads labelled patches instead. The hyper-parameters of the
    estimator are never searched. An empty ``name`` becomes the name of the estimator's class, in lower case.
    Raises :class:`~crisol.errors.ExperimentError` for an object without ``fit``, ``get_params`` or
    ``predict_proba``.
    """

    model: Any
    name: str = ""
    description: str = "An estimator that was handed in."
    members: ClassVar[tuple[Variant, ...]] = ()
    grid: ClassVar[tuple[dict[str, _Value], ...]] = ()
    reads_source: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if isinstance(self.model, type) or not all(
            hasattr(self.model, name) for name in ("get_params", "fit")
        ):
            raise ExperimentError(
                f"{self.model!r:.200} is no scikit-learn estimator; hand in an object with fit and get_params"
            )
        if not hasattr(self.model, "predict_proba"):
            raise ExperimentError(
                f"{type(self.model).__name__} has no predict_proba; wrap it in "
                "sklearn.calibration.CalibratedClassifierCV"
            )
        if not self.name:
            object.__setattr__(self, "name", type(self._last()).__name__.lower())

    @property
    def fingerprint(self) -> str:
        """The estimator's module and ``repr``; a trained model's version contains a hash of this text."""
        # The text of a caller's function contains its address, which differs in another process.
        return re.sub(r" at 0x[0-9a-f]+", "", f"{type(self.model).__module__}:{self.model!r}")

    def estimator(self, random_state: int) -> Pipeline:
        """Return the unfitted scikit-learn pipeline, which takes labelled patches.

        Its step ``patches`` computes a matrix of patches, its step ``model`` predicts from that matrix.
        ``random_state`` seeds the estimator.
        """
        matrix = PatchMatrix(frame=True)
        if isinstance(self.model, Pipeline) and isinstance(self.model[0], PatchMatrix):
            matrix = clone(self.model[0])
        return Pipeline([("patches", matrix), ("model", self.classifier(matrix, random_state))])

    def classifier(self, matrix: PatchMatrix, random_state: int) -> Any:  # noqa: ARG002 - as of a variant
        """Return an unfitted copy of the estimator, which predicts from a matrix of patches.

        It is the second step of the pipeline that :meth:`estimator` returns. ``random_state`` seeds the
        estimator; ``matrix`` is ignored.
        """
        model = clone(self.model)
        if isinstance(model, Pipeline) and isinstance(model[0], PatchMatrix):
            model = model[1:]
        return seeded(model, random_state)

    def _last(self) -> Any:
        return self.model[-1] if isinstance(self.model, Pipeline) else self.model


Recipe = Variant | Given
"""A way to predict that can be evaluated, trained and served: a variant or the caller's own estimator."""


def seeded(model: Any, random_state: int) -> Any:
    """Set ``random_state`` in an estimator and in its parts, such as pipeline steps; return the estimator.

    The estimator is changed, not copied. It stays as it is if neither it nor a part has this parameter.
    """
    names = [name for name in model.get_params() if name == "random_state" or name.endswith("__random_state")]
    return model.set_params(**dict.fromkeys(names, random_state)) if names else model


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid")

    description: str
    model: str
    trust: bool = False
    features: Literal["classic", "rich", "source", "fix"] = "rich"
    words: int = 0
    feature_weight: float = 1.0
    parameters: dict[str, _Value] = {}
    grid: tuple[dict[str, _Value], ...] = ()
    members: tuple[str, ...] = ()


class _VariantsFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: Literal[1]
    variants: Annotated[dict[str, _Entry], Field(min_length=1, max_length=100)]


def load_variants(path: Path | str) -> dict[str, Variant]:
    """Read a YAML file of variants; return them by name, in the order of the file.

    The file has two keys: ``version``, which is 1, and ``variants``, which maps a name to the other fields of
    its :class:`Variant`. A mean names its ``members``, which are defined above it in the file. Raises
    :class:`~crisol.errors.ExperimentError` where the file cannot be read or is larger than 1 MiB, and for an
    unknown key, model, parameter or member; the message says where.
    """
    path = Path(path)
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ExperimentError(f"{path}: larger than {_MAX_BYTES} bytes; this is no list of variants")
        content = _VariantsFile.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
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
    return "; ".join(
        f"{'.'.join(map(str, problem['loc'])) or 'entry'}: {problem['msg']}" for problem in error.errors()
    )
