"""Answers with its input: BYTES that need not be text."""

import triton_python_backend_utils as pb


class TritonPythonModel:
    def execute(self, requests):
        return [pb.InferenceResponse([pb.Tensor("out", r.inputs()[0].as_numpy())]) for r in requests]
