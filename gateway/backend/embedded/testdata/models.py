"""Writes the small ONNX models that the tests of the embedded engine run. Needs the package onnx (1.20) and numpy.

    python gateway/backend/embedded/testdata/models.py

The files are committed; run this only to change them.
"""

import pathlib

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import external_data_helper, helper, numpy_helper

HERE = pathlib.Path(__file__).parent
OPSET = 17


def value(name, dtype, shape):
    return helper.make_tensor_value_info(name, dtype, shape)


def constant(name, array):
    return numpy_helper.from_array(array, name)


def save(name, nodes, inputs, outputs, initializers=(), check=True):
    graph = helper.make_graph(nodes, name, inputs, outputs, list(initializers))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    if check:
        onnx.checker.check_model(model)
    onnx.save(model, HERE / f"{name}.onnx")


def add(name, amount):
    """y = x + amount over [batch, 4]."""
    save(name, [helper.make_node("Add", ["x", "amount"], ["y"])], [value("x", T.FLOAT, ["batch", 4])],
         [value("y", T.FLOAT, ["batch", 4])], [constant("amount", np.full((4,), amount, np.float32))])


add("add1", 1)
add("add10", 10)

# One input and one output of every datatype that both ONNX Runtime's Identity and KServe v2 have.
kinds = dict(bool=T.BOOL, uint8=T.UINT8, uint16=T.UINT16, uint32=T.UINT32, uint64=T.UINT64, int8=T.INT8, int16=T.INT16,
             int32=T.INT32, int64=T.INT64, fp16=T.FLOAT16, fp32=T.FLOAT, fp64=T.DOUBLE, bf16=T.BFLOAT16, bytes=T.STRING)
save("types", [helper.make_node("Identity", [f"in_{k}"], [f"out_{k}"]) for k in kinds],
     [value(f"in_{k}", t, ["n", "m"]) for k, t in kinds.items()],
     [value(f"out_{k}", t, ["n", "m"]) for k, t in kinds.items()])

# FP16 arithmetic with a shape that only the run knows.
save("half", [helper.make_node("Add", ["x", "x"], ["y"])], [value("x", T.FLOAT16, ["n"])], [value("y", T.FLOAT16, ["n"])])

# The output's shape depends on the data.
save("nonzero", [helper.make_node("NonZero", ["x"], ["y"])], [value("x", T.FLOAT, ["n"])], [value("y", T.INT64, [1, "hits"])])

# No dimensions at all on the output.
save("scalar", [helper.make_node("ReduceSum", ["x"], ["y"], keepdims=0)], [value("x", T.FLOAT, ["n"])], [value("y", T.FLOAT, [])])

# The same, of every datatype that can be served so; and one that cannot.
single = {k: t for k, t in kinds.items() if k not in ("fp16", "bf16", "bytes")}
save("scalars", [helper.make_node("Squeeze", [f"in_{k}"], [f"out_{k}"]) for k in single],
     [value(f"in_{k}", t, [1]) for k, t in single.items()], [value(f"out_{k}", t, []) for k, t in single.items()])
save("halfscalar", [helper.make_node("Squeeze", ["x"], ["y"])], [value("x", T.FLOAT16, [1])], [value("y", T.FLOAT16, [])])

# Two inputs, two outputs; the outputs are not in the order of the inputs.
save("pair", [helper.make_node("Add", ["a", "b"], ["sum"]), helper.make_node("Sub", ["a", "b"], ["difference"])],
     [value("a", T.FLOAT, ["batch", 2]), value("b", T.FLOAT, ["batch", 2])],
     [value("difference", T.FLOAT, ["batch", 2]), value("sum", T.FLOAT, ["batch", 2])])

# An output that is no tensor.
save("sequence", [helper.make_node("SequenceConstruct", ["x"], ["y"])], [value("x", T.FLOAT, ["n"])],
     [helper.make_tensor_sequence_value_info("y", T.FLOAT, ["n"])])

# The sum over the batch: answers one row whatever the batch is.
save("collapse", [helper.make_node("ReduceSum", ["x", "axes"], ["y"], keepdims=1)], [value("x", T.FLOAT, ["batch", 4])],
     [value("y", T.FLOAT, ["rows", 4])], [constant("axes", np.array([0], np.int64))])

# Sees [batch, 4] where the client sends [batch, 2, 2].
save("flat", [helper.make_node("Mul", ["x", "x"], ["y"])], [value("x", T.FLOAT, ["batch", 4])], [value("y", T.FLOAT, ["batch", 4])])

# The file does not tell the output's shape: against the standard, and served by ONNX Runtime all the same.
save("shapeless", [helper.make_node("Neg", ["x"], ["y"])], [value("x", T.FLOAT, ["batch", 2])], [value("y", T.FLOAT, None)], check=False)

# Fails while it runs: the index is beyond the end.
save("failing", [helper.make_node("Gather", ["x", "far"], ["y"], axis=1)], [value("x", T.FLOAT, ["batch", "n"])],
     [value("y", T.FLOAT, ["batch", 1])], [constant("far", np.array([1000], np.int64))])

# Runs `count` rounds of nothing much: for cancelling.
body = helper.make_graph(
    [helper.make_node("Identity", ["cond_in"], ["cond_out"]), helper.make_node("Add", ["acc_in", "one"], ["acc_out"])], "body",
    [value("i", T.INT64, []), value("cond_in", T.BOOL, []), value("acc_in", T.FLOAT, [1])],
    [value("cond_out", T.BOOL, []), value("acc_out", T.FLOAT, [1])], [constant("one", np.ones((1,), np.float32))])
save("loop", [helper.make_node("Squeeze", ["count"], ["rounds"]), helper.make_node("Loop", ["rounds", "go", "start"], ["y"], body=body)],
     [value("count", T.INT64, [1])], [value("y", T.FLOAT, [1])],
     [constant("go", np.array(True)), constant("start", np.zeros((1,), np.float32))])

# Weights in a second file, as exporters write them over 2 GB.
weights = constant("w", np.arange(4, dtype=np.float32))
external_data_helper.set_external_data(weights, "weights.bin")
graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "external", [value("x", T.FLOAT, ["batch", 4])],
                          [value("y", T.FLOAT, ["batch", 4])], [weights])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
folder = HERE / "external"
folder.mkdir(exist_ok=True)
(folder / "weights.bin").unlink(missing_ok=True)
onnx.save_model(model, folder / "model.onnx")

# Every datatype that NumPy has too, unchanged over [batch, n], for comparing with a Triton.
save("echo", [helper.make_node("Identity", [f"in_{k}"], [f"out_{k}"]) for k in kinds if k != "bf16"],
     [value(f"in_{k}", t, ["batch", "n"]) for k, t in kinds.items() if k != "bf16"],
     [value(f"out_{k}", t, ["batch", "n"]) for k, t in kinds.items() if k != "bf16"])
