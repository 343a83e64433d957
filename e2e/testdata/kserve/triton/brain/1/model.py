"""Answers with its BF16 input, without looking at it: NumPy has no such type."""

import triton_python_backend_utils as pb


class TritonPythonModel:
    def execute(self, requests):
        return [pb.InferenceResponse([pb.Tensor.from_dlpack("out_BF16", r.inputs()[0].to_dlpack())]) for r in requests]
