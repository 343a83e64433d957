"""Writes the small models of testdata/repository: python make_models.py, with onnx installed."""

import pathlib

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper

ROOT = pathlib.Path(__file__).parent / "repository"


def save(name, version, nodes, inputs, outputs, constants=()):
    graph = h.make_graph(
        nodes,
        name,
        [h.make_tensor_value_info(*i) for i in inputs],
        [h.make_tensor_value_info(*o) for o in outputs],
        [numpy_helper.from_array(value, key) for key, value in constants],
    )
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    path = ROOT / name / str(version) / "model.onnx"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())


for version in (1, 2):  # y = x * 2 and y = x * 4
    factor = np.array([2.0 * version], np.float32)
    save(
        "scale", version, [h.make_node("Mul", ["x", "factor"], ["y"])],
        [("x", T.FLOAT, ["n", 4])], [("y", T.FLOAT, ["n", 4])], [("factor", factor)],
    )

save(
    "kinds", 1,
    [
        h.make_node("Add", ["integers", "integers"], ["doubled"]),
        h.make_node("Cast", ["pixels"], ["floats"], to=T.FLOAT),
        h.make_node("Identity", ["words"], ["echo"]),
    ],
    [("integers", T.INT64, [2]), ("pixels", T.UINT8, ["n"]), ("words", T.STRING, ["m"])],
    [("doubled", T.INT64, [2]), ("floats", T.FLOAT, ["n"]), ("echo", T.STRING, ["m"])],
)
