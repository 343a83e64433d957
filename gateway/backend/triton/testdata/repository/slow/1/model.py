import time, numpy as np, triton_python_backend_utils as pb
class TritonPythonModel:
    def execute(self, requests):
        out = []
        for r in requests:
            a = pb.get_input_tensor_by_name(r,"IN").as_numpy()
            if a.flat[0] < 0:
                out.append(pb.InferenceResponse(error=pb.TritonError("negative is not allowed"))); continue
            time.sleep(float(a.flat[0])); out.append(pb.InferenceResponse([pb.Tensor("OUT", a)]))
        return out
