"""The requests that are sent to both servers."""

import dataclasses

import ml_dtypes
import numpy as np

NUMPY = {
    "BOOL": np.bool_, "UINT8": np.uint8, "UINT16": np.uint16, "UINT32": np.uint32, "UINT64": np.uint64, "INT8": np.int8, "INT16": np.int16,
    "INT32": np.int32, "INT64": np.int64, "FP16": np.float16, "FP32": np.float32, "FP64": np.float64, "BF16": ml_dtypes.bfloat16, "BYTES": np.object_,
}
KINDS = [k for k in NUMPY if k != "BF16"]
WORDS = ["", "a", "größte", "日本語", "x" * 300, "\n\t\"\\", "0"]
random = np.random.default_rng(5)


@dataclasses.dataclass
class Tensor:
    name: str
    datatype: str
    data: np.ndarray
    declared: tuple = None  # the shape that is told, where it is not the data's own

    @property
    def shape(self):
        return list(self.declared or self.data.shape)


@dataclasses.dataclass
class Case:
    name: str
    model: str
    inputs: list
    outputs: list = dataclasses.field(default_factory=list)  # (name, classes)
    version: str = ""
    id: str = ""
    parameters: dict = None
    priority: int = 0
    sequence: tuple = None
    compress: str = None
    binary: bool = True
    binary_output: bool = True


def values(kind, shape):
    """All bits of a number vary; NaN is left out of JSON's way by being no number of these."""
    n = int(np.prod(shape))
    if kind == "BYTES":
        return np.array([WORDS[i % len(WORDS)].encode() for i in range(n)], dtype=object).reshape(shape)
    if kind == "BOOL":
        return random.integers(0, 2, shape).astype(bool)
    if kind in ("FP16", "FP32", "FP64", "BF16"):
        return (random.standard_normal(shape) * 100).astype(NUMPY[kind])
    limits = np.iinfo(NUMPY[kind])
    return random.integers(limits.min, limits.max, shape, dtype=NUMPY[kind], endpoint=True)


def kinds(name, batch, width, **more):
    inputs = [Tensor("in_" + k, k, values(k, (batch, width))) for k in KINDS]
    if not more.get("binary", True):  # Triton reads many a FP64 in JSON a bit away from what is written; quarters it reads as they are
        inputs = [Tensor(t.name, t.datatype, np.round(t.data * 4) / 4) if t.datatype == "FP64" else t for t in inputs]
    return Case(name, "kinds", inputs, **more)


def same():
    """Requests that both servers understand, on models that Triton and the embedded engine have; brain is not the same file on both."""
    cases = [kinds(f"every datatype, batch {b}", b, 1 + b % 5) for b in range(1, 33)]
    cases += [kinds(f"every datatype, batch {b}, {c}", b, 40, compress=c) for b in (1, 7) for c in ("gzip", "deflate")]
    json = [k for k in KINDS if k != "FP16"]
    cases += [
        kinds("no elements", 3, 0),
        kinds("every datatype, an id", 2, 3, id="request-17 ü"),
        kinds("every datatype, a version", 2, 3, version="1"),
        kinds("every datatype out as JSON but FP16", 2, 3, outputs=[("out_" + k, 0) for k in json], binary_output=False),
        kinds("every datatype as JSON but FP16", 4, 3, binary=False, outputs=[("out_" + k, 0) for k in json], binary_output=False),
        kinds("JSON in, binary out", 4, 3, binary=False),
        kinds("one output of many", 2, 2, outputs=[("out_UINT16", 0)]),
        kinds("two outputs in another order", 2, 2, outputs=[("out_INT64", 0), ("out_BYTES", 0)]),
        kinds("parameters of the caller's own", 1, 1, parameters={"a": "text", "b": 3, "c": True}),
        kinds("a priority that no model asked for", 1, 1, priority=2),
        Case("no batch dimension", "flat", [Tensor("in_" + k, k, values(k, (3, 5))) for k in ("FP32", "INT8", "BYTES")]),
        Case("inputs in another order", "flat", [Tensor("in_" + k, k, values(k, (2, 2))) for k in ("BYTES", "FP32", "INT8")]),
        Case("extremes", "one", [Tensor("in_FP32", "FP32", np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, 3.4e38], np.float32))]),
        Case("BF16", "brain", [Tensor("in_BF16", "BF16", values("BF16", (9,)))]),
        Case("602 KB", "one", [Tensor("in_FP32", "FP32", values("FP32", (150528,)))]),
        Case("4.9 MB", "one", [Tensor("in_FP32", "FP32", values("FP32", (1228800,)))]),
        Case("4.9 MB in gzip", "one", [Tensor("in_FP32", "FP32", np.zeros(1228800, np.float32))], compress="gzip"),
        Case("a word", "word", [Tensor("in_BYTES", "BYTES", np.array(["größte".encode()], dtype=object))]),
        Case("a megabyte of text", "word", [Tensor("in_BYTES", "BYTES", np.array([b"z" * (1 << 20)], dtype=object))]),
    ]
    for batch in (1, 2, 32):
        x = Tensor("x", "FP32", values("FP32", (batch, 10)))
        cases += [
            Case(f"{n} classes, batch {batch}", "classes", [x], outputs=[("scores", n)]) for n in (1, 3, 10)] + [
            Case(f"classes without labels, batch {batch}", "classes", [x], outputs=[("doubled", 4), ("scores", 0)]),
            Case(f"classes as JSON, batch {batch}", "classes", [x], outputs=[("scores", 2), ("doubled", 0)], binary_output=False),
            Case(f"more classes than there are, batch {batch}", "classes", [x], outputs=[("scores", 99)]),
        ]
    return cases


def triton_only():
    """Models that only Triton can run."""
    return [
        Case("BYTES that are no text", "bytes", [Tensor("in", "BYTES", np.array([[b"\x00\xff\xfe", b"", b"\x80" * 9]], dtype=object))]),
        Case("a decoupled model without a stream", "repeat", [Tensor("count", "INT32", np.array([2], np.int32))]),
        Case("a model that fails", "slow", [Tensor("ms", "FP32", np.array([-1], np.float32))]),
    ]


def sequence(number):
    steps = [(5, True, False), (7, False, False), (-2, False, True)]
    return [Case(f"step of sequence {number}", "sum", [Tensor("x", "INT32", np.array([[v]], np.int32))], sequence=(number, s, e)) for v, s, e in steps]


def streams(number):
    """For streams: the requests of each, and what more they ask for."""
    def count(n, id=""):
        return Case(f"{n} responses", "repeat", [Tensor("count", "INT32", np.array([n], np.int32))], id=id)
    one = Case("not decoupled", "one", [Tensor("in_FP32", "FP32", np.arange(4, dtype=np.float32))], id="o")
    return [
        ([one], {}), ([one, one, one], {}),
        ([count(3, "a")], dict(enable_empty_final_response=True)),
        ([count(0, "b")], dict(enable_empty_final_response=True)),
        ([count(-2, "c")], dict(enable_empty_final_response=True)),
        ([Case("unknown model in a stream", "nosuch", one.inputs, id="d"), one], {}),
        (sequence(number), {}),
    ]


def wrong():
    """Requests that have to be refused."""
    x = Tensor("x", "FP32", values("FP32", (1, 10)))
    def bad(name, *inputs, **more):
        return Case(name, "classes", list(inputs), **more)
    return [
        Case("unknown model", "nosuch", [x]),
        bad("unknown version", x, version="9"),
        bad("version that is no number", x, version="new"),
        bad("unknown input", Tensor("y", "FP32", x.data)),
        bad("one input too many", x, Tensor("y", "FP32", x.data)),
        bad("no input"),
        bad("the same input twice", x, x),
        bad("another datatype", Tensor("x", "INT32", values("INT32", (1, 10)))),
        bad("too wide", Tensor("x", "FP32", values("FP32", (1, 11)))),
        bad("a dimension too many", Tensor("x", "FP32", values("FP32", (1, 1, 10)))),
        bad("no batch dimension", Tensor("x", "FP32", values("FP32", (10,)))),
        bad("batch too large", Tensor("x", "FP32", values("FP32", (33, 10)))),
        bad("empty batch", Tensor("x", "FP32", values("FP32", (0, 10)))),
        bad("unknown output", x, outputs=[("nosuch", 0)]),
        bad("a parameter that is reserved", x, parameters={"triton_secret": 1}),
    ]
