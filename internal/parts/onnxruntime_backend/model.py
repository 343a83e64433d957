"""Triton's `onnxruntime` backend for the tests, written as a Python-based backend.

The Triton that runs without a container has only the Python backend inside. Copied as backends/onnxruntime/model.py
this file serves every model whose config.pbtxt says `backend: "onnxruntime"` or `platform: "onnxruntime_onnx"`, so that
the model repository is the one that a complete Triton serves, unchanged.
"""

import json
import os

import numpy as np
import onnxruntime
import triton_python_backend_utils as pb_utils

# ONNX Runtime's type names -> those of config.pbtxt.
TYPES = {
    "tensor(bool)": "TYPE_BOOL",
    "tensor(uint8)": "TYPE_UINT8",
    "tensor(uint16)": "TYPE_UINT16",
    "tensor(uint32)": "TYPE_UINT32",
    "tensor(uint64)": "TYPE_UINT64",
    "tensor(int8)": "TYPE_INT8",
    "tensor(int16)": "TYPE_INT16",
    "tensor(int32)": "TYPE_INT32",
    "tensor(int64)": "TYPE_INT64",
    "tensor(float16)": "TYPE_FP16",
    "tensor(float)": "TYPE_FP32",
    "tensor(double)": "TYPE_FP64",
    "tensor(string)": "TYPE_STRING",
}


def check(kind, configured, actual):
    """Refuses a config.pbtxt whose tensors are not the model's, as the compiled backend does when it loads a model."""
    allowed = {tensor.name: TYPES.get(tensor.type, tensor.type) for tensor in actual}
    for tensor in configured:
        name, data_type = tensor["name"], tensor["data_type"]
        if name not in allowed:
            raise pb_utils.TritonModelException(
                f"unexpected inference {kind} '{name}', allowed {kind}s are: {', '.join(sorted(allowed))}"
            )
        if data_type != allowed[name]:
            raise pb_utils.TritonModelException(
                f"unexpected datatype {data_type} for inference {kind} '{name}', expecting {allowed[name]}"
            )


class TritonPythonModel:
    def initialize(self, args):
        config = json.loads(args["model_config"])
        filename = config.get("default_model_filename") or "model.onnx"
        path = os.path.join(args["model_repository"], args["model_version"], filename)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.strings = {t.name for t in self.session.get_inputs() if t.type == "tensor(string)"}
        check("input", config["input"], self.session.get_inputs())
        check("output", config["output"], self.session.get_outputs())

    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        try:
            feed = {}
            for tensor in request.inputs():
                value = tensor.as_numpy()
                if tensor.name() in self.strings:
                    value = np.array([s.decode() for s in value.ravel()], dtype=object).reshape(value.shape)
                feed[tensor.name()] = value
            names = list(request.requested_output_names())
            values = self.session.run(names, feed)
            return pb_utils.InferenceResponse([pb_utils.Tensor(n, outgoing(v)) for n, v in zip(names, values)])
        except Exception as failure:
            # One bad request fails alone, with ONNX Runtime's own words.
            return pb_utils.InferenceResponse([], pb_utils.TritonError(f"onnx runtime error: {failure}"))


def outgoing(value):
    """What the Python backend can send: an array, in which a string is bytes."""
    if not isinstance(value, np.ndarray):
        raise TypeError(f"an output is a {type(value).__name__}, not a tensor: export the model without sequences and maps")
    if value.dtype == object:
        return np.array([s if isinstance(s, bytes) else str(s).encode() for s in value.ravel()], dtype=object).reshape(value.shape)
    return np.ascontiguousarray(value)
