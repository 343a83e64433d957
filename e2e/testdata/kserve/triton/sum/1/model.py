"""Adds up the inputs of a sequence."""

import numpy as np
import triton_python_backend_utils as pb


class TritonPythonModel:
    def initialize(self, args):
        self.sums = {}

    def execute(self, requests):
        return [self.answer(r) for r in requests]

    def answer(self, request):
        value = {t.name(): t.as_numpy().ravel()[0] for t in request.inputs()}
        id = int(value["ID"])
        self.sums[id] = int(value["x"]) + (0 if value["START"] else self.sums.get(id, 0))
        total = self.sums.pop(id) if value["END"] else self.sums[id]
        return pb.InferenceResponse([pb.Tensor("sum", np.array([[total]], np.int32))])
