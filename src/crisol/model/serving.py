"""The model folder that a service loads.

``model.skops`` is the trained scikit-learn model. ``model.onnx`` is the same model, compiled and without its
calibration; only models made of trees have this file, and other models are served from ``model.skops``.
``serving.json`` holds calibration, versions and policy, ``model_card.md`` a description for people. Loading
the folder executes no code from it.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from crisol.diff import Patch
from crisol.errors import ModelError, SettingsError
from crisol.model.calibration import Sigmoid
from crisol.model.features import FEATURE_VERSION
from crisol.model.policy import NEVER, Policy
from crisol.model.rows import Rows
from crisol.records import LabelledPatch

if TYPE_CHECKING:
    # A service that has the compiled form need not load scikit-learn.
    from crisol.model.training import FittedModel

__all__ = [
    "PARITY",
    "PROBE",
    "Scorer",
    "Serving",
    "difference",
    "export",
    "onnx_scorer",
    "open_serving",
]

PARITY = 1e-5
"""The largest allowed difference between the probabilities of the compiled and the original form."""

PROBE = LabelledPatch(
    "probe",
    "probe",
    "probe",
    1,
    "--- a/app/files.py\n+++ b/app/files.py\n@@ -1,7 +1,12 @@\n"
    " import os\n+import re\n \n-def load(name, root='.'):\n"
    "-    return open(root + '/' + name).read()\n+def load(name, root='.', limit=65536):\n"
    "+    path = os.path.realpath(os.path.join(root, name))\n"
    "+    if not re.fullmatch(r'[a-z0-9_.]{1,64}', name) or not path.startswith(root + os.sep):\n"
    "+        raise ValueError(f'refused: {name!r}')\n"
    "+    with open(path) as file:\n+        return file.read(limit)\n"
    " \n def names(root):\n-    return eval(open(root).read())\n+    return sorted(os.listdir(root))\n",
    cwe="CWE-22",
)
"""A patch whose probability is stored with every model.

A loader checks that the model still gives that probability.
"""

_FORMAT = "crisol-serving-2"
_MAX_BYTES = 64 << 20
_LARGEST = sys.float_info.max
"""The largest float; JSON can hold larger integers."""
Scorer = Callable[[Patch, str], float]
"""A function of a patch and its CWE to the probability of valid, not yet calibrated."""


@dataclass(frozen=True, slots=True)
class Serving:
    """The content of ``serving.json`` in a model folder: the description of an exported model.

    ``variant`` is the variant's name. ``model_version`` identifies the trained model, ``feature_version`` the
    code that computes its features. ``slope`` and ``intercept`` are those of the calibration, a
    :class:`Sigmoid`. ``accept``, ``reject`` and ``reason`` are those of the :class:`Policy`. ``sha256`` is
    the hash of ``model.onnx``, "" if the folder has no such file. ``classic`` is True if the model reads only
    the classic features. ``golden`` is the probability that the model gave the fixed test patch :data:`PROBE`
    when it was exported, None if it was not stored.
    """

    variant: str
    model_version: str
    feature_version: str
    slope: float
    intercept: float
    sha256: str
    classic: bool = False
    accept: float | None = None
    reject: float | None = None
    reason: str = "no thresholds were chosen"
    golden: float | None = None

    @property
    def calibration(self) -> Sigmoid:
        """The calibration: the map from the model's score to the probability of valid."""
        return Sigmoid(self.slope, self.intercept)

    @property
    def policy(self) -> Policy:
        """The thresholds at which the model decides without a wargame."""
        return Policy(self.accept, self.reject, self.reason)

    @property
    def rows(self) -> Rows:
        """The object that computes the model's features from a patch, by its method ``row``."""
        return Rows(classic=self.classic)


def export(model: FittedModel, folder: Path, policy: Policy = NEVER, *, card: str = "") -> Serving:
    """Write a trained model into a folder that exists, and return the content of its ``serving.json``.

    The files are ``model.skops``, ``serving.json``, ``model.onnx`` for a tree ensemble, and ``model_card.md``
    with the text ``card`` unless it is empty. ``policy`` is stored in ``serving.json``; the default policy
    wargames every patch. Existing files of these names are replaced. Raises
    :class:`~crisol.errors.ModelError` where a file cannot be written, and for a model that reads the caller's
    own features.
    """
    if own := [measure.__name__ for measure in model.pipeline[0].own]:
        raise ModelError(
            f"{model.model_version} reads {', '.join(own)}, which only this process can compute; add it to "
            "crisol.model.features to serve the model"
        )
    from crisol.model.compiled import compilable, to_onnx  # noqa: PLC0415 - a service need not load onnx itself

    estimator = model.pipeline[1]
    graph = to_onnx(estimator) if compilable(estimator) else b""
    serving = Serving(
        model.name,
        model.model_version,
        model.feature_version,
        model.calibration.slope,
        model.calibration.intercept,
        hashlib.sha256(graph).hexdigest() if graph else "",
        bool(model.pipeline[0].classic),
        policy.accept,
        policy.reject,
        policy.reason,
        float(model.probabilities([PROBE])[0]),
    )
    model.save(folder / "model.skops")
    try:
        if graph:
            (folder / "model.onnx").write_bytes(graph)
        if card:
            (folder / "model_card.md").write_text(card, encoding="utf-8")
        content = {"format": _FORMAT, **asdict(serving)}
        (folder / "serving.json").write_text(json.dumps(content, indent=2), encoding="utf-8")
    except OSError as error:
        raise ModelError(f"{folder}: the model cannot be written: {error}") from None
    return serving


def open_serving(folder: Path) -> Serving:
    """Return the content of ``serving.json`` in a model folder.

    Raises :class:`~crisol.errors.ModelError` where the file cannot be read, where a field is missing, unknown
    or out of range, where the thresholds overlap, or where the model was trained with another feature version
    than the present one.
    """
    path = folder / "serving.json"
    try:
        content = json.loads(_bytes(path))
        if content.pop("format", None) != _FORMAT:
            raise ModelError(f"{path}: not of this version of Crisol; promote a model anew")
        serving = Serving(**content)
    except (AttributeError, TypeError, ValueError, RecursionError) as error:
        raise ModelError(f"{path}: the description is incomplete: {error}") from None
    texts = [serving.variant, serving.model_version, serving.feature_version, serving.reason]
    texts.append(serving.sha256)
    numbers = [serving.slope, serving.intercept]
    numbers += [number for number in (serving.accept, serving.reject, serving.golden) if number is not None]
    if not (
        all(isinstance(text, str) for text in texts)
        and isinstance(serving.classic, bool)
        and all(_finite(number) for number in numbers)
    ):
        raise ModelError(f"{path}: a value is of the wrong type, or not a finite number")
    if not all(0.0 < bound < 1.0 for bound in (serving.accept, serving.reject) if bound is not None):
        raise ModelError(
            f"{path}: accept and reject are probabilities, and {serving.accept} or {serving.reject} "
            "is not within (0, 1)"
        )
    try:
        _ = serving.policy
    except SettingsError as error:
        raise ModelError(f"{path}: {error}") from None
    if serving.feature_version != FEATURE_VERSION:
        raise ModelError(
            f"{path}: trained on features {serving.feature_version!r}, these are {FEATURE_VERSION!r}; "
            "train anew"
        )
    return serving


def onnx_scorer(folder: Path, serving: Serving) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Return a function from rows (n, columns) to uncalibrated probabilities of valid (n,).

    The function runs ``model.onnx`` of the model folder on one thread. Raises
    :class:`~crisol.errors.ModelError` where the file is missing or its hash is not the ``sha256`` of
    ``serving``. The returned function raises the same error where the ONNX runtime fails.
    """
    path = folder / "model.onnx"
    return graph_scorer(_described(path, serving.sha256), serving.rows.columns, str(path))


def graph_scorer(
    graph: bytes, columns: int, name: str
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Return a function that runs an ONNX graph: from rows (n, columns) to probabilities of class 1 (n,).

    ``graph`` is the content of the ONNX file, ``columns`` the number of columns that it must accept. ``name``
    stands for the file in error messages. The function uses one thread. Raises
    :class:`~crisol.errors.ModelError` where the content is no ONNX graph or accepts another number of
    columns. The returned function raises the same error where the ONNX runtime fails.
    """
    import onnxruntime as ort  # noqa: PLC0415 - only who serves trees pays for loading it

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        (model_input,) = session.get_inputs()
    except Exception as error:  # noqa: BLE001 - the runtime raises what it likes
        raise ModelError(f"{name}: cannot be read as a model: {error}") from None
    if model_input.shape[-1] != columns:
        raise ModelError(f"{name}: reads {model_input.shape[-1]} columns, the features have {columns}")
    run, rows_name = session.run, model_input.name

    def score(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        try:
            output: NDArray[np.float32] = run(None, {rows_name: rows.astype(np.float32)})[0]
        except Exception as error:
            # The runtime raises exceptions of many types.
            raise ModelError(f"the model {name} does not answer: {error}") from error
        return output[:, 0].astype(np.float64)

    return score


def difference(model: FittedModel, folder: Path, patches: Sequence[LabelledPatch]) -> float:
    """Return the largest absolute difference between the probabilities of a model and of its ONNX file.

    The model and the ONNX file in the model folder ``folder`` predict the same ``patches``, and the
    calibrated probabilities are compared. The result is 0 if the model has no ONNX file or ``patches`` is
    empty. Raises :class:`~crisol.errors.ModelError` where the files cannot be read.
    """
    serving = open_serving(folder)
    if not serving.sha256 or not patches:
        return 0.0
    plain = model.probabilities(patches)
    served = serving.calibration(onnx_scorer(folder, serving)(model.pipeline[0].transform(patches)))
    return float(np.abs(served - plain).max())


def _described(path: Path, sha256: str) -> bytes:
    content = _bytes(path)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ModelError(f"{path}: not the model that serving.json describes; promote it anew")
    return content


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _LARGEST


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ModelError(f"{path}: more than {_MAX_BYTES} bytes; Crisol wrote no such file")
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: the model cannot be read: {error}") from None
