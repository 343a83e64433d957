"""Requests that no client sends: HTTP and gRPC messages made by hand, good ones and bad ones."""

import gzip
import http.client
import json
import struct
import zlib

import grpc
import numpy as np
from tritonclient.grpc import service_pb2, service_pb2_grpc

from clients import message

HEADER = "Inference-Header-Content-Length"
ROW = [float(i) for i in range(10)]


def http_ask(address, method, path, headers, body):
    """Status, type and body of an answer; JSON is read, so that white space does not count."""
    connection = http.client.HTTPConnection(address, timeout=180)
    try:
        connection.request(method, path, body=body, headers=headers)
        response = connection.getresponse()
        data = response.read()
        if response.headers.get("Content-Encoding") == "gzip":
            data = gzip.decompress(data)
        got = {"status": response.status}
        length = response.headers.get(HEADER)
        if response.status == 200:
            got["type"] = response.headers.get("Content-Type")
        if length is not None:
            got["header"], got["bytes"] = json.loads(data[:int(length)]), data[int(length):]
        else:
            try:
                got["body"] = json.loads(data) if data else ""
            except ValueError:
                got["body"] = repr(data[:200])
        return got
    except (OSError, http.client.HTTPException) as error:
        return {"status": repr(error)}
    finally:
        connection.close()


def tensor(data=None, **more):
    out = {"name": "x", "datatype": "FP32", "shape": [1, 10]} | more
    return out if data is None else out | {"data": data}


def request(*inputs, **more):
    return json.dumps({"inputs": list(inputs)} | more).encode()


def split(head, blob, headers=()):
    return {HEADER: str(len(head)), "Content-Type": "application/octet-stream"} | dict(headers), head + blob


def http_good():
    """name, path, headers, body"""
    row = np.array(ROW, np.float32).tobytes()
    binary = request(tensor(parameters={"binary_data_size": 40}))
    plain, octets = {"Content-Type": "application/json"}, {HEADER: "0", "Content-Type": "application/octet-stream"}
    head, body = split(binary, row)
    good = [
        ("JSON", "classes", plain, request(tensor(ROW))),
        ("JSON without a content type", "classes", {}, request(tensor(ROW))),
        ("nested data", "classes", plain, request(tensor([ROW, ROW], shape=[2, 10]))),
        ("an id", "classes", plain, request(tensor(ROW), id="7")),
        ("binary in, JSON out", "classes", head, body),
        ("binary in, binary out", "classes", *split(request(tensor(parameters={"binary_data_size": 40}), parameters={"binary_data_output": True}), row)),
        ("all binary but one", "classes", plain, request(tensor(ROW), parameters={"binary_data_output": True},
                                                          outputs=[{"name": "scores", "parameters": {"binary_data": False}}, {"name": "doubled"}])),
        ("classes", "classes", plain, request(tensor(ROW), outputs=[{"name": "scores", "parameters": {"classification": 2}}])),
        ("a version", "classes/versions/1", plain, request(tensor(ROW))),
        ("raw FP32", "one", octets, row),
        ("raw word", "word", octets, "größte".encode()),
        ("whole numbers for floats", "classes", plain, request(tensor(list(range(10))))),
        ("numbers in other spellings", "classes", plain, b'{"inputs":[{"name":"x","datatype":"FP32","shape":[1,10],"data":[1e2,-0.0,1E-3,0.1,5,6,7,8,9,1e38]}]}'),
        ("words", "word", plain, request({"name": "in_BYTES", "datatype": "BYTES", "shape": [1], "data": ["gr\u00f6\u00dfte \" \\ \n"]})),
        ("an unknown key", "classes", plain, request(tensor(ROW), more=1)),
        ("gzip", "classes", plain | {"Content-Encoding": "gzip"}, gzip.compress(request(tensor(ROW)))),
        ("deflate", "classes", plain | {"Content-Encoding": "deflate"}, zlib.compress(request(tensor(ROW)))),
        ("gzip and binary", "classes", head | {"Content-Encoding": "gzip"}, gzip.compress(body)),
        ("gzip out", "classes", plain | {"Accept-Encoding": "gzip"}, request(tensor(ROW))),
    ]
    return [(name, "POST", f"/v2/models/{model}/infer", headers, body) for name, model, headers, body in good]


def http_bad():
    row = np.array(ROW, np.float32).tobytes()
    plain = {"Content-Type": "application/json"}
    sized = tensor(parameters={"binary_data_size": 40})
    word = {"name": "in_BYTES", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": 8}}
    half = {"name": "in_FP16", "datatype": "FP16", "shape": [1, 1], "data": [1.5]}
    bad = [
        ("empty", "classes", plain, b""),
        ("no JSON", "classes", plain, b"{"),
        ("JSON of another kind", "classes", plain, b"[]"),
        ("JSON 10,000 deep", "classes", plain, b'{"inputs":' + b"[" * 10000 + b"]" * 10000 + b"}"),
        ("no inputs", "classes", plain, b"{}"),
        ("inputs that are none", "classes", plain, b'{"inputs":{}}'),
        ("no shape", "classes", plain, b'{"inputs":[{"name":"x","datatype":"FP32","data":[1]}]}'),
        ("no data", "classes", plain, request(tensor())),
        ("too little data", "classes", plain, request(tensor(ROW[:9]))),
        ("too much data", "classes", plain, request(tensor(ROW + [1]))),
        ("text for numbers", "classes", plain, request(tensor(["a"] * 10))),
        ("negative dimension", "classes", plain, request(tensor(ROW, shape=[-1, 10]))),
        ("shape that overflows", "classes", plain, request(tensor(ROW, shape=[1 << 62, 1 << 62]))),
        ("shape of text", "classes", plain, request(tensor(ROW, shape=["1", "10"]))),
        ("unknown datatype", "classes", plain, request(tensor(ROW, datatype="FP80"))),
        ("unknown input", "classes", plain, request(tensor(ROW, name="y"))),
        ("unknown output", "classes", plain, request(tensor(ROW), outputs=[{"name": "y"}])),
        ("10,000 inputs", "classes", plain, request(*[tensor(ROW, name=f"x{i}") for i in range(10000)])),
        ("FP16 as JSON", "kinds", plain, request(half)),
        ("fewer bytes than told", "classes", *split(request(sized), row[:-1])),
        ("more bytes than told", "classes", *split(request(sized), row + b"x")),
        ("binary size of another shape", "classes", *split(request(tensor(shape=[2, 10], parameters={"binary_data_size": 40})), row)),
        ("negative binary size", "classes", *split(request(tensor(parameters={"binary_data_size": -40})), row)),
        ("data and binary size", "classes", *split(request(tensor(ROW, parameters={"binary_data_size": 40})), row)),
        ("header longer than the body", "classes", plain | {HEADER: "99999"}, request(tensor(ROW))),
        ("header that is no number", "classes", plain | {HEADER: "x"}, request(tensor(ROW))),
        ("negative header", "classes", plain | {HEADER: "-1"}, request(tensor(ROW))),
        ("BYTES prefix past the end", "word", *split(request(word), struct.pack("<I", 0xFFFFFFFF) + b"abcd")),
        ("BYTES with a byte too many", "word", *split(request(word), struct.pack("<I", 3) + b"abcd")),
        ("raw of two inputs", "flat", {HEADER: "0"}, row),
        ("raw of an odd size", "one", {HEADER: "0"}, row[:-1]),
        ("unknown encoding", "classes", plain | {"Content-Encoding": "zstd"}, request(tensor(ROW))),
        ("gzip that is none", "classes", plain | {"Content-Encoding": "gzip"}, request(tensor(ROW))),
        ("gzip bomb", "classes", plain | {"Content-Encoding": "gzip"}, gzip.compress(b" " * (256 << 20))),
        ("unknown model", "nosuch", plain, request(tensor(ROW))),
        ("unknown version", "classes/versions/9", plain, request(tensor(ROW))),
        ("classification that is no number", "classes", plain, request(tensor(ROW), outputs=[{"name": "scores", "parameters": {"classification": "2"}}])),
        ("reserved parameter", "classes", plain, request(tensor(ROW), parameters={"triton_x": 1})),
        ("decoupled", "repeat", plain, request({"name": "count", "datatype": "INT32", "shape": [1], "data": [1]})),
    ]
    asks = [(name, "POST", f"/v2/models/{model}/infer", headers, body) for name, model, headers, body in bad]
    return asks + [("unknown path", "GET", "/v2/nosuch", {}, None), ("infer by GET", "GET", "/v2/models/classes/infer", {}, None)]


def grpc_ask(stub, request):
    try:
        answer = stub.ModelInfer(request, timeout=180)
        return {"code": "OK"} | message(answer)
    except grpc.RpcError as error:
        return {"code": error.code().name, "text": error.details()}


def grpc_messages():
    """name, message"""
    def ask(model="classes", **more):
        m = service_pb2.ModelInferRequest(model_name=model)
        i = m.inputs.add(name="x", datatype="FP32", shape=[1, 10])
        for key, value in more.items():
            if key in ("name", "datatype"):
                setattr(i, key, value)
            elif key == "shape":
                del i.shape[:]
                i.shape.extend(value)
            elif key == "raw":
                m.raw_input_contents.extend(value)
            elif key == "floats":
                i.contents.fp32_contents.extend(value)
        return m
    row = np.array(ROW, np.float32).tobytes()
    many = service_pb2.ModelInferRequest(model_name="classes", raw_input_contents=[row] * 10000)
    for n in range(10000):
        many.inputs.add(name=f"x{n}", datatype="FP32", shape=[1, 10])
    shared = ask()
    shared.inputs[0].parameters["shared_memory_region"].string_param = "r"
    shared.inputs[0].parameters["shared_memory_byte_size"].int64_param = 40
    unsigned = ask(raw=[row])
    unsigned.parameters["sequence_id"].uint64_param = 3
    word = dict(model="word", name="in_BYTES", datatype="BYTES", shape=[1])
    return [
        ("typed contents", ask(floats=ROW)),
        ("typed and raw", ask(floats=ROW, raw=[row])),
        ("no contents", ask()),
        ("two contents for one input", ask(raw=[row, row])),
        ("too few bytes", ask(raw=[row[:-1]])),
        ("too many bytes", ask(raw=[row + b"x"])),
        ("too few numbers", ask(floats=ROW[:-1])),
        ("negative dimension", ask(shape=[-1, 10], raw=[row])),
        ("shape that overflows", ask(shape=[1 << 62, 1 << 62], raw=[row])),
        ("unknown datatype", ask(datatype="FP80", raw=[row])),
        ("no model", ask(model="", raw=[row])),
        ("10,000 inputs", many),
        ("shared memory", shared),
        ("sequence id of another type", unsigned),
        ("BYTES prefix past the end", ask(**word, raw=[struct.pack("<I", 0xFFFFFFFF) + b"abcd"])),
        ("BYTES with a byte too many", ask(**word, raw=[struct.pack("<I", 3) + b"abcd"])),
    ]


def stub(address):
    channel = grpc.insecure_channel(address, options=[("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)])
    return channel, service_pb2_grpc.GRPCInferenceServiceStub(channel)
