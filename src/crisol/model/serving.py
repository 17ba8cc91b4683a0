"""The folder that a service loads: the compiled model, what is needed beside it, and nothing that is executed.

``model.onnx`` is the bare model, ``serving.json`` its calibration, versions and thresholds, ``model.skops`` the
scikit-learn form that it was made from, and ``model_card.md`` what people should know of it. Variants that read words
have no ``model.onnx``; they are served from ``model.skops``.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from crisol.diff import Patch
from crisol.errors import ModelError
from crisol.model.calibration import Sigmoid
from crisol.model.features import FEATURE_VERSION
from crisol.records import LabelledPatch

if TYPE_CHECKING:
    # A service that has the compiled form need not load scikit-learn.
    from crisol.model.training import FittedModel

__all__ = ["PARITY", "RowMaker", "Scorer", "Serving", "difference", "export", "open_serving", "scorer"]

PARITY = 1e-5
"""The largest difference of a probability that the compiled form may show."""

_FORMAT = "crisol-serving-1"
_MAX_BYTES = 64 << 20
Scorer = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Serving:
    """What a compiled model needs beside its trees.

    Accept alone at ``accept`` or above, refuse alone at ``reject`` or below; None means never, and ``reason`` says why.
    """

    variant: str
    model_version: str
    feature_version: str
    slope: float
    intercept: float
    sha256: str
    """Of ``model.onnx``, empty where the variant has none."""
    classic: bool = False
    """Whether it reads the nine classic features alone."""
    accept: float | None = None
    reject: float | None = None
    reason: str = "no thresholds were chosen"

    @property
    def calibration(self) -> Sigmoid:
        """The map from the model's score to a probability."""
        return Sigmoid(self.slope, self.intercept)


class RowMaker(Protocol):
    """Turns a patch into what the model reads."""

    def row(self, patch: Patch, cwe: str) -> NDArray[np.float64]:
        """Return the matrix of a single patch, shape (1, columns)."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Served:
    """A model that is ready to answer, in whichever form."""

    serving: Serving
    matrix: RowMaker
    score: Scorer
    """From rows to uncalibrated probabilities of valid."""

    @property
    def model_version(self) -> str:
        """The version that every prediction carries."""
        return self.serving.model_version


def export(
    model: FittedModel,
    folder: Path,
    *,
    accept: float | None = None,
    reject: float | None = None,
    reason: str = "no thresholds were chosen",
    card: str = "",
) -> Serving:
    """Write everything that serving needs into an existing folder.

    Raises :class:`~crisol.errors.ModelError` where the folder cannot be written.
    """
    from crisol.model.compiled import compilable, to_onnx  # noqa: PLC0415 - a service need not load onnx itself

    compiled = to_onnx(model.pipeline[1]) if compilable(model.pipeline[1]) else b""
    serving = Serving(
        model.name,
        model.model_version,
        model.feature_version,
        model.calibration.slope,
        model.calibration.intercept,
        hashlib.sha256(compiled).hexdigest() if compiled else "",
        bool(model.pipeline[0].classic),
        accept,
        reject,
        reason,
    )
    model.save(folder / "model.skops")
    try:
        if compiled:
            (folder / "model.onnx").write_bytes(compiled)
        if card:
            (folder / "model_card.md").write_text(card, encoding="utf-8")
        content = {"format": _FORMAT, **asdict(serving)}
        (folder / "serving.json").write_text(json.dumps(content, indent=2), encoding="utf-8")
    except OSError as error:
        raise ModelError(f"{folder}: the model cannot be written: {error}") from None
    return serving


def open_serving(folder: Path) -> Serving:
    """Read ``serving.json``. Raises :class:`~crisol.errors.ModelError`."""
    path = folder / "serving.json"
    try:
        content = json.loads(_bytes(path))
        if content.pop("format", None) != _FORMAT:
            raise ModelError(f"{path}: not of this version of Crisol; promote a model anew")
        serving = Serving(**content)
    except (AttributeError, TypeError, ValueError, RecursionError) as error:
        raise ModelError(f"{path}: the description is incomplete: {error}") from None
    texts = (serving.variant, serving.model_version, serving.feature_version, serving.sha256, serving.reason)
    numbers = [serving.slope, serving.intercept]
    numbers += [one for one in (serving.accept, serving.reject) if one is not None]
    if not all(isinstance(text, str) for text in texts) or not all(_finite(one) for one in numbers):
        raise ModelError(f"{path}: a value is of the wrong type, or not a finite number")
    if serving.feature_version != FEATURE_VERSION:
        raise ModelError(
            f"{path}: trained on features {serving.feature_version!r}, these are {FEATURE_VERSION!r}; train anew"
        )
    return serving


def scorer(folder: Path, serving: Serving, columns: int) -> Scorer:
    """Open ``model.onnx`` on one thread; the function maps rows to the uncalibrated probabilities of valid.

    Raises :class:`~crisol.errors.ModelError` where the file is not the one that ``serving.json`` speaks of.
    """
    import onnxruntime as ort  # noqa: PLC0415 - only who serves pays for loading it

    path = folder / "model.onnx"
    content = _bytes(path)
    if hashlib.sha256(content).hexdigest() != serving.sha256:
        raise ModelError(f"{path}: not the model that serving.json describes; promote it anew")
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        (given,) = session.get_inputs()
    except Exception as error:  # noqa: BLE001 - the runtime raises what it likes
        raise ModelError(f"{path}: cannot be read as a model: {error}") from None
    if given.shape[-1] != columns:
        raise ModelError(f"{path}: reads {given.shape[-1]} columns, the features have {columns}")
    run, name = session.run, given.name

    def score(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        found: NDArray[np.float32] = run(None, {name: rows.astype(np.float32)})[0]
        return found[:, 0].astype(np.float64)

    return score


def difference(model: FittedModel, folder: Path, patches: Sequence[LabelledPatch]) -> float:
    """Return the largest difference of a probability between the two forms; 0 where there is only one."""
    serving = open_serving(folder)
    if not serving.sha256 or not patches:
        return 0.0
    rows = model.pipeline[0].transform(patches)
    served = serving.calibration(scorer(folder, serving, rows.shape[1])(rows))
    return float(np.abs(served - model.probabilities(patches)).max())


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ModelError(f"{path}: more than {_MAX_BYTES} bytes; this is no model of ours")
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: the model cannot be read: {error}") from None
