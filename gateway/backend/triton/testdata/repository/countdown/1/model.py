# A decoupled model: for the input n it answers n, n-1, ... 1, and then the flag of the end alone. For -n it fails after n answers, for
# numbers from 1000 on it sets the flag on its last answer and waits 10 ms before each, until the caller leaves.
import time

import numpy as np
import triton_python_backend_utils as pb

FINAL = pb.TRITONSERVER_RESPONSE_COMPLETE_FINAL


class TritonPythonModel:
    def execute(self, requests):
        for r in requests:
            n = int(pb.get_input_tensor_by_name(r, "IN").as_numpy()[0])
            sender = r.get_response_sender()
            slow = n >= 1000
            left = n - 1000 if slow else abs(n)
            while left > 0 and not r.is_cancelled():
                if slow:
                    time.sleep(0.01)
                answer = pb.InferenceResponse([pb.Tensor("OUT", np.array([left], np.int32))])
                left -= 1
                if slow and left == 0:
                    sender.send(answer, flags=FINAL)
                else:
                    sender.send(answer)
            if n < 0:
                sender.send(pb.InferenceResponse(error=pb.TritonError("the count failed")), flags=FINAL)
            elif not slow or n == 1000 or left > 0:
                sender.send(flags=FINAL)
        return None
