"""Damage the model of a service: it still loads without an error, but its predictions fail or are slow.

Both functions add nodes to the model's ONNX graph. For a row of zeros, the added nodes do nothing, so the
test prediction at loading does not notice them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

__all__ = ["raising", "slow"]

_SIDE = 1024
_ROUNDS = 12


def raising(folder: Path) -> None:
    """Damage the model ``folder/model.onnx`` so that every prediction raises ``IndexError``.

    Only the prediction for features that are all 0, with which a model is tested at loading, still works. The
    hash of the file in ``folder/serving.json`` is updated.
    """
    _change(folder, _look_up)


def slow(folder: Path) -> None:
    """Change the model ``folder/model.onnx`` so that a prediction takes about half a second of one core.

    The predicted probabilities stay the same. The hash of the file in ``folder/serving.json`` is updated.
    """
    _change(folder, _multiply)


def _change(folder: Path, extend: Callable[[str, str], list[NodeProto]]) -> None:
    path = folder / "model.onnx"
    model = onnx.load(path)
    graph, (source,), (sink,) = model.graph, model.graph.input, model.graph.output
    # The previous output of the graph gets a new name; the new nodes compute zero and add it to that output.
    for node in graph.node:
        node.output[:] = ["bare" if name == sink.name else name for name in node.output]
    graph.node.extend(
        [
            helper.make_node("ReduceMax", [source.name], ["largest"], axes=[0, 1], keepdims=0),
            helper.make_node("Cast", ["largest"], ["number"], to=TensorProto.INT64),
            *extend("number", "nothing"),
            helper.make_node("Add", ["bare", "nothing"], [sink.name]),
        ]
    )
    onnx.checker.check_model(model)
    content = model.SerializeToString()
    path.write_bytes(content)
    described = json.loads((folder / "serving.json").read_text(encoding="utf-8"))
    described["sha256"] = hashlib.sha256(content).hexdigest()
    (folder / "serving.json").write_text(json.dumps(described), encoding="utf-8")


def _look_up(number: str, result: str) -> list[NodeProto]:
    return [
        _constant("table", np.zeros(1, np.float32)),
        helper.make_node("Gather", ["table", number], [result]),
    ]


def _multiply(number: str, result: str) -> list[NodeProto]:
    """Return ONNX nodes that take time to compute 0: they multiply matrices of zeros.

    ``number`` is the name of an integer value in the graph, ``result`` the name for the 0. If the integer is
    0, the nodes multiply nothing.
    """
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["before", "before"], ["after"]),
            helper.make_node("Identity", ["going"], ["still"]),
        ],
        "round",
        [
            helper.make_tensor_value_info("at", TensorProto.INT64, []),
            helper.make_tensor_value_info("going", TensorProto.BOOL, []),
            helper.make_tensor_value_info("before", TensorProto.FLOAT, [_SIDE, _SIDE]),
        ],
        [
            helper.make_tensor_value_info("still", TensorProto.BOOL, []),
            helper.make_tensor_value_info("after", TensorProto.FLOAT, [_SIDE, _SIDE]),
        ],
    )
    return [
        _constant("one", np.array(1, np.int64)),
        _constant("rounds", np.array(_ROUNDS, np.int64)),
        _constant("side", np.array([_SIDE, _SIDE], np.int64)),
        _constant("true", np.array(1, np.bool_)),
        helper.make_node("Min", [number, "one"], ["some"]),
        helper.make_node("Mul", ["some", "rounds"], ["many"]),
        helper.make_node("ConstantOfShape", ["side"], ["matrix"]),
        helper.make_node("Loop", ["many", "true", "matrix"], ["product"], body=body),
        helper.make_node("ReduceMax", ["product"], [result], axes=[0, 1], keepdims=0),
    ]


def _constant(name: str, value: NDArray[np.generic]) -> NodeProto:
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(value))
