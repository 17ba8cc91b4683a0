"""The folder that a service loads: the compiled model, what is needed beside it, and nothing that is executed.

``model.onnx`` is the bare model, ``trees.npy`` the same for the kernel, ``serving.json`` its calibration, versions and
thresholds, ``model.skops`` the scikit-learn form that it was made from, and ``model_card.md`` what people should know
of it. Variants that read words have neither of the compiled forms; they are served from ``model.skops``.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from crisol.diff import Patch
from crisol.errors import ModelError
from crisol.model.calibration import Sigmoid
from crisol.model.features import FEATURE_VERSION
from crisol.model.kernel import NODE, Kernel, Trees, open_kernel
from crisol.model.reading import open_diff
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
    "open_trees",
]

PARITY = 1e-5
"""The largest difference of a probability that the compiled form may show."""

PROBE = LabelledPatch(
    "probe",
    "probe",
    "probe",
    1,
    "--- a/app/files.py\n+++ b/app/files.py\n@@ -1,7 +1,12 @@\n import os\n+import re\n \n-def load(name, root='.'):\n"
    "-    return open(root + '/' + name).read()\n+def load(name, root='.', limit=65536):\n"
    "+    path = os.path.realpath(os.path.join(root, name))\n"
    "+    if not re.fullmatch(r'[a-z0-9_.]{1,64}', name) or not path.startswith(root + os.sep):\n"
    "+        raise ValueError(f'refused: {name!r}')\n+    with open(path) as file:\n+        return file.read(limit)\n"
    " \n def names(root):\n-    return eval(open(root).read())\n+    return sorted(os.listdir(root))\n",
    cwe="CWE-22",
)
"""A patch whose probability goes along with every model: whoever loads one can tell whether it still answers the same."""

_FORMAT = "crisol-serving-1"
_MAX_BYTES = 64 << 20
Scorer = Callable[[Patch, str], float]
"""From a patch and its CWE to the probability of valid, not yet calibrated."""


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
    trees_sha256: str = ""
    """Of ``trees.npy``, empty where the variant has none."""
    logistic: bool = False
    """Whether the sum of the trees is in log-odds."""
    classic: bool = False
    """Whether it reads the nine classic features alone."""
    accept: float | None = None
    reject: float | None = None
    reason: str = "no thresholds were chosen"
    golden: float | None = None
    """The probability of :data:`PROBE` when the model was exported."""

    @property
    def calibration(self) -> Sigmoid:
        """The map from the model's score to a probability."""
        return Sigmoid(self.slope, self.intercept)

    @property
    def rows(self) -> Rows:
        """What the model reads."""
        return Rows(classic=self.classic)


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
    from crisol.model.compiled import compilable, to_nodes, to_onnx  # noqa: PLC0415 - a service need not load onnx itself

    estimator = model.pipeline[1]
    files, logistic = dict[str, bytes](), False
    if compilable(estimator):
        nodes, logistic = to_nodes(estimator)
        np.save(trees := io.BytesIO(), nodes, allow_pickle=False)
        files = {"model.onnx": to_onnx(estimator), "trees.npy": trees.getvalue()}
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    serving = Serving(
        model.name,
        model.model_version,
        model.feature_version,
        model.calibration.slope,
        model.calibration.intercept,
        hashes.get("model.onnx", ""),
        hashes.get("trees.npy", ""),
        logistic,
        bool(model.pipeline[0].classic),
        accept,
        reject,
        reason,
        float(model.probabilities([PROBE])[0]),
    )
    model.save(folder / "model.skops")
    try:
        for name, made in files.items():
            (folder / name).write_bytes(made)
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
    texts = [serving.variant, serving.model_version, serving.feature_version, serving.reason]
    texts += [serving.sha256, serving.trees_sha256]
    flags = (serving.logistic, serving.classic)
    numbers = [serving.slope, serving.intercept]
    numbers += [one for one in (serving.accept, serving.reject, serving.golden) if one is not None]
    if not (
        all(isinstance(text, str) for text in texts)
        and all(isinstance(flag, bool) for flag in flags)
        and all(_finite(one) for one in numbers)
    ):
        raise ModelError(f"{path}: a value is of the wrong type, or not a finite number")
    if serving.feature_version != FEATURE_VERSION:
        raise ModelError(
            f"{path}: trained on features {serving.feature_version!r}, these are {FEATURE_VERSION!r}; train anew"
        )
    return serving


def onnx_scorer(folder: Path, serving: Serving) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Open ``model.onnx`` on one thread; the function maps rows to the uncalibrated probabilities of valid.

    Raises :class:`~crisol.errors.ModelError` where the file is not the one that ``serving.json`` speaks of.
    """
    import onnxruntime as ort  # noqa: PLC0415 - only who serves without the kernel pays for loading it

    path, columns = folder / "model.onnx", serving.rows.columns
    content = _described(path, serving.sha256)
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
        try:
            found: NDArray[np.float32] = run(None, {name: rows.astype(np.float32)})[0]
        except Exception as error:
            # The runtime raises what it likes.
            raise ModelError(f"the model {serving.model_version} does not answer: {error}") from error
        return found[:, 0].astype(np.float64)

    return score


def open_trees(folder: Path, serving: Serving, kernel: Kernel) -> Trees:
    """Give ``trees.npy`` to the kernel. Raises like :func:`onnx_scorer`."""
    path = folder / "trees.npy"
    try:
        nodes = np.load(io.BytesIO(_described(path, serving.trees_sha256)), allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ModelError(f"{path}: cannot be read as trees: {error}") from None
    if nodes.dtype.newbyteorder("=") != NODE or nodes.ndim != 1:
        raise ModelError(f"{path}: cannot be read as trees: not an array of nodes")
    return kernel.trees(nodes, serving.rows.columns, logistic=serving.logistic)


def difference(model: FittedModel, folder: Path, patches: Sequence[LabelledPatch]) -> float:
    """Return the largest difference of a probability between the model and its compiled forms that run here.

    0 where it has none.
    """
    serving = open_serving(folder)
    if not serving.sha256 or not patches:
        return 0.0
    plain = model.probabilities(patches)
    served = [onnx_scorer(folder, serving)(model.pipeline[0].transform(patches))]
    if (kernel := open_kernel()) is not None:
        trees = open_trees(folder, serving, kernel)
        served.append(np.array([trees.score(open_diff(patch.diff), patch.cwe) for patch in patches]))
    return max(float(np.abs(serving.calibration(score) - plain).max()) for score in served)


def _described(path: Path, sha256: str) -> bytes:
    content = _bytes(path)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ModelError(f"{path}: not the model that serving.json describes; promote it anew")
    return content


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ModelError(f"{path}: more than {_MAX_BYTES} bytes; this is no model of ours")
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: the model cannot be read: {error}") from None
