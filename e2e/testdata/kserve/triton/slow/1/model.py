"""Sleeps for so many milliseconds and answers with the input; a negative one fails."""

import time

import triton_python_backend_utils as pb


class TritonPythonModel:
    def execute(self, requests):
        return [self.answer(r) for r in requests]

    def answer(self, request):
        wait = request.inputs()[0].as_numpy()
        if wait.max() < 0:
            return pb.InferenceResponse([], pb.TritonError("slow was told to fail"))
        time.sleep(float(wait.max()) / 1000)
        return pb.InferenceResponse([pb.Tensor("ms_out", wait)])
