"""Answers with the version that runs, after 2 ms. A file beside it makes it hard to load: `broken` has it fail, `slow` holds the seconds that it takes.
The first call of an instance takes 400 ms more, as of a model that compiles when it is first called, and says that it is cold."""

import os
import time

import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def initialize(self, args):
        folder = os.path.dirname(os.path.abspath(__file__))
        if os.path.exists(os.path.join(folder, "broken")):
            raise RuntimeError("there are no weights here")
        if os.path.exists(os.path.join(folder, "slow")):
            with open(os.path.join(folder, "slow")) as seconds:
                time.sleep(float(seconds.read()))
        self.version = int(args["model_version"])
        self.cold = True

    def execute(self, requests):
        cold, self.cold = self.cold, False
        time.sleep(0.4 if cold else 0.002)
        answers = []
        for request in requests:
            batch = pb_utils.get_input_tensor_by_name(request, "x").as_numpy().shape[0]
            numbers = {"version": self.version, "cold": cold}
            answers.append(pb_utils.InferenceResponse([pb_utils.Tensor(name, np.full((batch, 1), n, np.int32)) for name, n in numbers.items()]))
        return answers
