"""Writes e2e/testdata/kserve: small models that answer with what they are given, for the comparison with a real Triton.

    .cache/train/bin/python e2e/python/models.py

`both` is served by Triton and by the embedded engine, `triton` (Python models) by Triton alone, `embedded` by the engine alone.
"""

import pathlib

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper, numpy_helper

ROOT = pathlib.Path(__file__).parent.parent / "testdata" / "kserve"
KINDS = {
    "BOOL": T.BOOL, "UINT8": T.UINT8, "UINT16": T.UINT16, "UINT32": T.UINT32, "UINT64": T.UINT64, "INT8": T.INT8,
    "INT16": T.INT16, "INT32": T.INT32, "INT64": T.INT64, "FP16": T.FLOAT16, "FP32": T.FLOAT, "FP64": T.DOUBLE, "BYTES": T.STRING,
}


def save(where, name, config, nodes, inputs, outputs, constants=()):
    graph = helper.make_graph(nodes, name, inputs, outputs, list(constants))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    folder = ROOT / where / name / "1"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    (ROOT / where / name / "config.pbtxt").write_text(f'name: "{name}"\nplatform: "onnxruntime_onnx"\n' + config)


def value(name, kind, shape):
    return helper.make_tensor_value_info(name, kind, shape)


def declared(name, kind, dims, more=""):
    kind = "STRING" if kind == "BYTES" else kind
    return f'  {{ name: "{name}" data_type: TYPE_{kind} dims: {dims}{more} }}'


def config(batch, inputs, outputs):
    return f"max_batch_size: {batch}\ninput [\n" + ",\n".join(inputs) + "\n]\noutput [\n" + ",\n".join(outputs) + "\n]\n"


def echo(where, name, batch, dims, kinds):
    """An input in_KIND and an output out_KIND for each kind."""
    shape = (["n"] if batch else []) + [None if d < 0 else d for d in dims]
    save(where, name,
         config(batch, [declared(f"in_{k}", k, dims) for k in kinds], [declared(f"out_{k}", k, dims) for k in kinds]),
         [helper.make_node("Identity", [f"in_{k}"], [f"out_{k}"]) for k in kinds],
         [value(f"in_{k}", t, shape) for k, t in kinds.items()], [value(f"out_{k}", t, shape) for k, t in kinds.items()])


def classes():
    """Ten numbers and their doubles; `scores` has labels."""
    save("both", "classes",
         config(32, [declared("x", "FP32", [10])],
                [declared("scores", "FP32", [10], ' label_filename: "labels.txt"'), declared("doubled", "FP32", [10])]),
         [helper.make_node("Identity", ["x"], ["scores"]), helper.make_node("Mul", ["x", "two"], ["doubled"])],
         [value("x", T.FLOAT, ["n", 10])], [value("scores", T.FLOAT, ["n", 10]), value("doubled", T.FLOAT, ["n", 10])],
         [numpy_helper.from_array(np.float32(2), "two")])
    labels = ["zero", "one", "two", "three", "four", "five", "six: seven", "sieben", "acht", "größte"]
    (ROOT / "both" / "classes" / "labels.txt").write_text("\n".join(labels) + "\n")


def main():
    echo("both", "kinds", 32, [-1], KINDS)
    echo("both", "flat", 0, [-1, -1], {k: KINDS[k] for k in ("FP32", "INT8", "BYTES")})
    echo("both", "one", 0, [-1], {"FP32": T.FLOAT})
    echo("both", "word", 0, [1], {"BYTES": T.STRING})
    echo("embedded", "brain", 0, [-1], {"BF16": T.BFLOAT16})
    classes()


if __name__ == "__main__":
    main()
