"""shapes-slow: the network of shapes 1, and beside it so much work that nobody needs that a call takes about 100 ms. It exists to show what a cache saves."""

import time

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import onnxfile
import ops
import pipeline

MODEL, SOURCE = "shapes-slow", ("shapes", "1")
SIDE = 64  # one product of a row by a SIDE x SIDE matrix is too small to be spread over cores, so the time is much the same with any number of them
ROUNDS = 54000  # of about 1.85 us each on one core


def slowed(network, rounds):
    """The network with a Loop beside it: a row goes through the same matrix `rounds` times, and counts for nothing in the end.

    network: a ModelProto with one input [batch, ...] and one output [batch, classes]. The row begins with the mean of the input, so the engine
    cannot work it out beforehand; each product needs the one before it; and an engine does not know that 0 times a finite number is 0.
    The row is one for the whole batch: the time is that of a call, however many pictures are in it.
    """
    graph = network.graph
    given, answered = graph.input[0], graph.output[0]
    last = answered.name
    rng = np.random.default_rng(11)
    matrix = np.linalg.qr(rng.normal(size=(SIDE, SIDE)))[0].astype(np.float32)  # a rotation: the row neither grows nor shrinks but by Tanh
    row = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, SIDE])
    boolean = lambda name: helper.make_tensor_value_info(name, TensorProto.BOOL, [])
    body = helper.make_graph(
        [helper.make_node("Identity", ["go_on"], ["still"]), helper.make_node("MatMul", ["before", "matrix"], ["turned"]), helper.make_node("Tanh", ["turned"], ["after"])],
        "round", [helper.make_tensor_value_info("round", TensorProto.INT64, []), boolean("go_on"), row("before")], [boolean("still"), row("after")],
        [numpy_helper.from_array(matrix, "matrix")])
    nodes = [*graph.node,
             helper.make_node("ReduceMean", [given.name], ["mean"], keepdims=0), helper.make_node("Expand", ["mean", "row_shape"], ["start"]),
             helper.make_node("Loop", ["rounds", "yes", "start"], ["end"], body=body), helper.make_node("ReduceMean", ["end"], ["left"], keepdims=0),
             helper.make_node("Mul", ["left", "nothing"], ["none"]), helper.make_node("Add", [last, "none"], ["answer"])]
    constants = [*graph.initializer, numpy_helper.from_array(np.array([1, SIDE], np.int64), "row_shape"), numpy_helper.from_array(np.array(rounds, np.int64), "rounds"),
                 numpy_helper.from_array(np.array(True), "yes"), numpy_helper.from_array(np.array(0, np.float32), "nothing")]
    shape = ["batch", *(d.dim_value for d in answered.type.tensor_type.shape.dim[1:])]
    outer = helper.make_graph(nodes, MODEL, [given], [helper.make_tensor_value_info("answer", TensorProto.FLOAT, shape)], constants)
    return ops.finished(helper.make_model(outer, opset_imports=[helper.make_opsetid("", 17)]), {"task": "image-classification"})


def make():
    """Writes the model from shapes 1 as it lies there, and checks that it answers the same."""
    source = pipeline.REPOSITORY / SOURCE[0] / SOURCE[1] / "model.onnx"
    path = onnxfile.save(slowed(onnx.load(source), ROUNDS), MODEL, 1)
    x = np.random.default_rng(6).normal(size=(1, 3, 64, 64)).astype(np.float32)
    worst = onnxfile.differ(onnxfile.session(path)(x), onnxfile.session(source)(x), 1e-6)
    return [("answer against that of shapes 1, largest difference", f"{worst:.1e}"), ("file", f"{path.stat().st_size / 1024:.0f} KiB"),
            (f"one picture, {ROUNDS} rounds, processor time of one core, median of 20", f"{processor_milliseconds(path, x):.0f} ms")]


def processor_milliseconds(path, x, runs=20):
    """Median processor time of one run: of a call this long, a busy machine would add its own waiting to the wall time."""
    run, took = onnxfile.session(path), []
    for _ in range(runs):
        began = time.process_time()
        run(x)
        took.append(time.process_time() - began)
    return float(np.median(took)) * 1e3
