"""Answers with the version that runs, after 2 ms. A file beside it makes it hard to load: `broken` has it fail, `slow` holds the seconds that it takes.
The first call of an instance takes 400 ms more, as of a model that compiles when it is first called."""

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
        time.sleep(0.4 if self.cold else 0.002)
        self.cold = False
        answers = []
        for request in requests:
            batch = pb_utils.get_input_tensor_by_name(request, "x").as_numpy().shape[0]
            answers.append(pb_utils.InferenceResponse([pb_utils.Tensor("version", np.full((batch, 1), self.version, np.int32))]))
        return answers
