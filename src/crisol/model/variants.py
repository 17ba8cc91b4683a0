"""Model variants behind scikit-learn's interface; each is an entry of a YAML file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import StandardScaler

from crisol.errors import ExperimentError
from crisol.model.features import CLASSIC, FEATURES, changes, vector, words
from crisol.records import LabelledPatch

__all__ = ["Numbers", "Tokens", "Variant", "load_variants"]


class Numbers(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """Turns patches into the matrix of their features; ``classic`` keeps the nine of the baseline."""

    def __init__(self, classic: bool = False) -> None:
        self.classic = classic

    def fit(self, X: Sequence[LabelledPatch], y: object = None) -> Numbers:  # noqa: ARG002, N803 - the contract
        """Learn nothing; there for the pipeline."""
        self.n_features_in_ = 1
        return self

    def transform(self, X: Sequence[LabelledPatch]) -> np.ndarray[Any, np.dtype[np.float64]]:  # noqa: N803 - the contract
        """Return one row a patch, one column a feature."""
        rows = np.array([vector(patch.diff, patch.cwe) for patch in X], dtype=np.float64)
        if not self.classic:
            return rows
        names = [feature.name for feature in FEATURES]
        kept: np.ndarray[Any, np.dtype[np.float64]] = rows[:, [names.index(name) for name in CLASSIC]]
        return kept


class Tokens(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """Turns patches into hashed counts of the words, and pairs of words, that they add and remove."""

    def __init__(self, bits: int = 14) -> None:
        self.bits = bits

    def fit(self, X: Sequence[LabelledPatch], y: object = None) -> Tokens:  # noqa: ARG002, N803 - the contract
        """Learn nothing; there for the pipeline."""
        self.n_features_in_ = 1
        return self

    def transform(self, X: Sequence[LabelledPatch]) -> Any:  # noqa: N803 - the contract
        """Return a sparse matrix with ``2 ** bits`` columns."""
        hashing = HashingVectorizer(
            n_features=1 << self.bits,
            ngram_range=(1, 2),
            tokenizer=str.split,
            token_pattern=None,
            lowercase=False,
        )
        return hashing.transform([_signed(patch.diff) for patch in X])


def _signed(text: str) -> str:
    added, removed, *_ = changes(text)
    return " ".join([*(f"+{word}" for word in words(added)), *(f"-{word}" for word in words(removed))])


def _forest(seed: int, *, classic: bool = False, **options: Any) -> Pipeline:
    model = RandomForestClassifier(random_state=seed, n_jobs=1, class_weight="balanced_subsample", **options)
    return Pipeline([("features", Numbers(classic=classic)), ("model", model)])


def _boosting(seed: int, **options: Any) -> Pipeline:
    return Pipeline([
        ("features", Numbers()),
        ("model", HistGradientBoostingClassifier(random_state=seed, **options)),
    ])  # fmt: skip


def _text(seed: int, *, strength: float = 1.0, bits: int = 14) -> Pipeline:
    features = FeatureUnion([
        ("tokens", Tokens(bits=bits)),
        ("numbers", Pipeline([("features", Numbers()), ("scale", StandardScaler())])),
    ])  # fmt: skip
    model = LogisticRegression(C=strength, max_iter=2_000, class_weight="balanced", random_state=seed)
    return Pipeline([("features", features), ("model", model)])


_KINDS: dict[str, Callable[..., Pipeline]] = {"forest": _forest, "boosting": _boosting, "text": _text}


@dataclass(frozen=True, slots=True)
class Variant:
    """A named recipe for an estimator over :class:`~crisol.records.LabelledPatch`."""

    name: str
    kind: str
    options: dict[str, Any] = field(default_factory=dict)

    def estimator(self, seed: int) -> Pipeline:
        """Return an unfitted pipeline; fit it on a sequence of patches and their labels."""
        return _KINDS[self.kind](seed, **self.options)


def load_variants(path: Path) -> dict[str, Variant]:
    """Read variants by name; raises :class:`~crisol.errors.ExperimentError` that names the entry that is wrong."""
    try:
        entries = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise ExperimentError(f"{path}: {error}") from None
    if not isinstance(entries, dict) or not entries:
        raise ExperimentError(f"{path}: expected a mapping of names to variants")
    found = {}
    for name, entry in entries.items():
        options = dict(entry) if isinstance(entry, dict) else {}
        kind = options.pop("kind", None)
        if kind not in _KINDS:
            raise ExperimentError(f"{path}: {name}: kind is {kind!r}; known are {', '.join(_KINDS)}")
        variant = Variant(str(name), kind, options)
        try:
            variant.estimator(0)
        except TypeError as error:
            raise ExperimentError(f"{path}: {name}: {error}") from None
        found[variant.name] = variant
    return found
