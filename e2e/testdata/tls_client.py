"""Asks iris over gRPC with TLS, by Triton's own client: ADDRESS, CA_FILE."""

import sys

import numpy as np
import tritonclient.grpc as triton

client = triton.InferenceServerClient(sys.argv[1], ssl=True, root_certificates=sys.argv[2])
row = triton.InferInput("input", [1, 4], "FP32")
row.set_data_from_numpy(np.array([[5.1, 3.5, 1.4, 0.2]], dtype=np.float32))
print(client.is_server_live(), client.infer("iris", [row]).get_response().model_name)
