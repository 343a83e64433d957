"""The four clients of tritonclient behind one face: ask(case) gives something that compares equal where the server answered the same."""

import asyncio
import queue

import numpy as np
import tritonclient.grpc as grpc
import tritonclient.grpc.aio as grpc_aio
import tritonclient.http as http
import tritonclient.http.aio as http_aio
from google.protobuf import json_format
from grpc import RpcError
from tritonclient.utils import InferenceServerException


def failure(error):
    """A status and a text. The clients put the status of HTTP as "400", that of gRPC as "StatusCode.INVALID_ARGUMENT"."""
    return {"error": (error.status() or "").replace("StatusCode.", ""), "text": error.message()}


def options(case):
    more = dict(request_id=case.id, model_version=case.version, parameters=case.parameters or None, priority=case.priority)
    if case.sequence:
        number, start, end = case.sequence
        more.update(sequence_id=number, sequence_start=start, sequence_end=end)
    return more


class Http:
    """tritonclient.http; subclasses say how a call is waited for."""

    name, module = "http", http

    def __init__(self, address):
        self.client = self.connect(address)

    def connect(self, address):
        return http.InferenceServerClient(address)

    def call(self, method, *args, **kwargs):
        return getattr(self.client, method)(*args, **kwargs)

    def close(self):
        self.client.close()

    def ask(self, case):
        inputs = []
        for tensor in case.inputs:
            i = self.module.InferInput(tensor.name, tensor.shape, tensor.datatype)
            inputs.append(i.set_data_from_numpy(tensor.data, binary_data=case.binary or tensor.datatype in ("FP16", "BF16")))
        outputs = [self.module.InferRequestedOutput(n, binary_data=case.binary_output, class_count=c) for n, c in case.outputs] or None
        try:
            result = self.call("infer", case.model, inputs, outputs=outputs, request_compression_algorithm=case.compress,
                               response_compression_algorithm=case.compress, **options(case))
        except InferenceServerException as error:
            return failure(error)
        return sorted_json(result.get_response(), getattr(result, "_buffer", b""))

    def about(self, method, *args):
        try:
            return self.call(method, *args)
        except InferenceServerException as error:
            return failure(error)


class HttpAio(Http):
    name, module = "http.aio", http_aio

    def connect(self, address):
        self.loop = asyncio.new_event_loop()
        return self.loop.run_until_complete(self.made(address))

    async def made(self, address):  # its session belongs to a running loop
        return http_aio.InferenceServerClient(address)

    def call(self, method, *args, **kwargs):
        return self.loop.run_until_complete(getattr(self.client, method)(*args, **kwargs))

    def close(self):
        self.loop.run_until_complete(self.client.close())
        self.loop.close()


class Grpc:
    name, module = "grpc", grpc

    def __init__(self, address):
        self.client = self.connect(address)

    def connect(self, address):
        return grpc.InferenceServerClient(address)

    def call(self, method, *args, **kwargs):
        return getattr(self.client, method)(*args, **kwargs)

    def close(self):
        self.client.close()

    def tensors(self, case):
        inputs = []
        for tensor in case.inputs:
            i = self.module.InferInput(tensor.name, tensor.shape, tensor.datatype)
            inputs.append(i.set_data_from_numpy(tensor.data))
        outputs = [self.module.InferRequestedOutput(n, class_count=c) for n, c in case.outputs] or None
        return inputs, outputs

    def ask(self, case):
        inputs, outputs = self.tensors(case)
        try:
            result = self.call("infer", case.model, inputs, outputs=outputs, compression_algorithm=case.compress, **options(case))
        except InferenceServerException as error:
            return failure(error)
        return message(result.get_response())

    def stream(self, cases, **more):
        """The answers of one stream, in order, until as many last responses have come as there are cases."""
        answers = queue.Queue()
        self.client.start_stream(callback=lambda result, error: answers.put((result, error)))
        try:
            for case in cases:
                inputs, outputs = self.tensors(case)
                self.client.async_stream_infer(case.model, inputs, outputs=outputs, **options(case), **more)
            got, finals = [], 0
            while finals < len(cases):
                answer, last = streamed(*answers.get(timeout=180))
                got.append(answer)
                finals += last
            return got
        except queue.Empty:
            return got + ["nothing came for three minutes"]
        finally:
            self.client.stop_stream(cancel_requests=True)

    def about(self, method, *args):
        try:
            answer = self.call(method, *args)
        except InferenceServerException as error:
            return failure(error)
        return answer if isinstance(answer, bool) else json_format.MessageToDict(answer, preserving_proto_field_name=True)


class GrpcAio(Grpc):
    name, module = "grpc.aio", grpc_aio

    def connect(self, address):
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)
        return self.loop.run_until_complete(self.made(address))

    async def made(self, address):
        return grpc_aio.InferenceServerClient(address)

    def call(self, method, *args, **kwargs):
        return self.loop.run_until_complete(getattr(self.client, method)(*args, **kwargs))

    def close(self):
        self.loop.run_until_complete(self.client.close())
        self.loop.close()

    def stream(self, cases, **_):
        """The answers until the server ends the stream, which this end closed after its last request. This client cannot ask for empty last responses."""
        async def requests():
            for case in cases:
                inputs, outputs = self.tensors(case)
                yield dict(model_name=case.model, inputs=inputs, outputs=outputs, **options(case))

        async def run():
            return [streamed(*answer)[0] async for answer in self.client.stream_infer(requests(), stream_timeout=180)]

        try:
            return self.loop.run_until_complete(run())
        except InferenceServerException as error:
            return [failure(error)]
        except RpcError as error:
            return [{"error": error.code().name, "text": error.details()}]


# A Triton gives the outputs of a Python-based model in an order that changes from call to call, so each answer is compared with its outputs by name.


def sorted_json(document, blob):
    """The JSON of an answer without the order of its outputs, and the bytes of each binary one."""
    pieces, at = {}, 0
    for output in document.get("outputs", []):
        size = output.get("parameters", {}).get("binary_data_size")
        if size is not None:
            pieces[output["name"]] = blob[at:at + size]
            at += size
        # A FP32 in JSON is the same if it is read as one: Triton writes the digits of the FP64 that it is turned into.
        if output["datatype"] == "FP32" and "data" in output:
            output["data"] = [float(np.float32(x)) for x in output["data"]]
    outputs = sorted(document.get("outputs", []), key=lambda o: o["name"])
    return {"json": document | {"outputs": outputs}, "bytes": pieces, "left over": blob[at:]}


def message(response):
    """A ModelInferResponse without the order of its outputs: its fields, and the bytes of the whole."""
    order = sorted(range(len(response.outputs)), key=lambda i: response.outputs[i].name)
    same = type(response)()
    same.CopyFrom(response)
    del same.outputs[:], same.raw_output_contents[:]
    same.outputs.extend(response.outputs[i] for i in order)
    same.raw_output_contents.extend(response.raw_output_contents[i] for i in order if i < len(response.raw_output_contents))
    return {"message": json_format.MessageToDict(same, preserving_proto_field_name=True),
            "left over": len(response.raw_output_contents) - len(response.outputs), "wire": same.SerializeToString(deterministic=True)}


def streamed(result, error):
    """One answer of a stream, and whether it is the last one of its request."""
    if error is not None:
        return failure(error), True
    response = result.get_response()
    return message(response), response.parameters["triton_final_response"].bool_param
