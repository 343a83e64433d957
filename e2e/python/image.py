"""Sends the bytes of picture files to a model NAME.image by all four clients of tritonclient and checks the first label of each.

    python image.py HTTP GRPC MODEL LABEL=FILE...
"""

import json
import sys

import numpy as np

import clients

KINDS = [(clients.Http, 0), (clients.HttpAio, 0), (clients.Grpc, 1), (clients.GrpcAio, 1)]


def main():
    addresses, model = sys.argv[1:3], sys.argv[3]
    labels, files = zip(*(argument.split("=", 1) for argument in sys.argv[4:]))
    pictures = np.array([[open(file, "rb").read()] for file in files], dtype=object)
    wrong = 0
    for kind, n in KINDS:
        client = kind(addresses[n])
        outputs = [client.module.InferRequestedOutput(name) for name in ("json", "labels", "scores", "indices")]
        picture = client.module.InferInput("image", pictures.shape, "BYTES")
        picture.set_data_from_numpy(pictures)
        for parameters in (None, {"top_k": 2, "cache": "no-store"}):
            result = client.call("infer", model, [picture], outputs=outputs, parameters=parameters)
            for i, label in enumerate(labels):
                document = json.loads(result.as_numpy("json")[i][0])
                first = document["predictions"][0]
                told = (result.as_numpy("labels")[i][0].decode(), np.float32(result.as_numpy("scores")[i][0]), int(result.as_numpy("indices")[i][0]))
                if told != (label, np.float32(first["score"]), first["index"]) or first["label"] != label:
                    wrong += 1
                    print(f"{kind.name}: {files[i]} is {told}, {first}")
                if parameters and len(document["predictions"]) != 2:
                    wrong += 1
                    print(f"{kind.name}: top_k=2 gives {document['predictions']}")
        client.close()
    print(f"{wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
