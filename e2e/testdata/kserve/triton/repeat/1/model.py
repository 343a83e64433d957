"""Decoupled: answers as often as the input says, with 0, 1, 2, ...; -1 fails after the first answer."""

import numpy as np
import triton_python_backend_utils as pb


class TritonPythonModel:
    def execute(self, requests):
        for request in requests:
            count = int(pb.get_input_tensor_by_name(request, "count").as_numpy()[0])
            sender = request.get_response_sender()
            for i in range(abs(count)):
                sender.send(pb.InferenceResponse([pb.Tensor("index", np.array([i], np.int32))]))
            if count < 0:
                sender.send(pb.InferenceResponse([], pb.TritonError("the model gave up")))
            sender.send(flags=pb.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
        return None
