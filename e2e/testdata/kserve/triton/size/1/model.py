"""Answers with one number whatever it is sent: what remains is the cost of the way."""

import numpy as np
import triton_python_backend_utils as pb


class TritonPythonModel:
    def execute(self, requests):
        return [pb.InferenceResponse([pb.Tensor("one", np.ones(1, np.float32))]) for _ in requests]
