"""shapes-slow: the network of shapes 1, asked so often in one call that the call takes about 100 ms. It exists to show what a cache saves."""

import time

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import onnxfile
import ops
import pipeline

MODEL, SOURCE = "shapes-slow", ("shapes", "1")
ROUNDS = 1400  # of about 0.07 ms each on one core


def looped(network, rounds):
    """A model whose answer is the network's own: a Loop runs all of its nodes `rounds` times on the same input, and gives what the last round says.

    network: a ModelProto with one input and one output, both [batch, ...]. The engine cannot know that the rounds are alike, so none is left out.
    """
    graph = network.graph
    given, answered = graph.input[0], graph.output[0]
    shape = [d.dim_value for d in answered.type.tensor_type.shape.dim[1:]]
    boolean = lambda name: helper.make_tensor_value_info(name, TensorProto.BOOL, [])
    floats = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape])
    body = helper.make_graph([helper.make_node("Identity", ["go_on"], ["still"]), *graph.node], "round",
                             [helper.make_tensor_value_info("round", TensorProto.INT64, []), boolean("go_on"), floats("before")],
                             [boolean("still"), floats(answered.name)], list(graph.initializer))
    constants = [numpy_helper.from_array(np.array(rounds, np.int64), "rounds"), numpy_helper.from_array(np.array(True), "yes"),
                 numpy_helper.from_array(np.zeros((1, *shape), np.float32), "nothing")]
    outer = helper.make_graph([helper.make_node("Loop", ["rounds", "yes", "nothing"], ["answer"], body=body)], MODEL, [given],
                              [helper.make_tensor_value_info("answer", TensorProto.FLOAT, ["batch", *shape])], constants)
    return ops.finished(helper.make_model(outer, opset_imports=[helper.make_opsetid("", 17)]), {"task": "image-classification"})


def make():
    """Writes the model from shapes 1 as it lies there, and checks that it answers the same."""
    source = pipeline.REPOSITORY / SOURCE[0] / SOURCE[1] / "model.onnx"
    path = onnxfile.save(looped(onnx.load(source), ROUNDS), MODEL, 1)
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
