"""Writes, opens and times model files."""

import time

import numpy as np
import onnx
import onnxruntime

from pipeline import REPOSITORY


def save(model, name, version):
    """Checks the model and writes it as model_repository/<name>/<version>/model.onnx, without external data."""
    onnx.checker.check_model(model, full_check=True)
    path = REPOSITORY / name / str(version) / "model.onnx"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())
    return path


def session(path):
    """Function from one input array to the first output, on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    s = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = s.get_inputs()[0].name
    return lambda x: s.run(None, {name: np.ascontiguousarray(x, np.float32)})[0]


def milliseconds(path, x, runs=200):
    """Median wall time of one run on one thread."""
    run, took = session(path), []
    for _ in range(runs):
        began = time.perf_counter()
        run(x)
        took.append(time.perf_counter() - began)
    return float(np.median(took[runs // 10:])) * 1e3


def differ(a, b, limit=1e-4):
    """Largest absolute difference; raises when it is over the limit."""
    worst = float(np.abs(np.asarray(a) - np.asarray(b)).max())
    if worst > limit:
        raise AssertionError(f"ONNX Runtime and the trainer differ by {worst:.2e}, more than {limit:.0e}")
    return worst
