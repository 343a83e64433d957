"""stories: a small recurrent network that goes on with a text word by word, for streams. Its stories are made here."""

import importlib.util
import json
import re
import sys
import types

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import ops
import onnxfile
import pipeline

MODEL = "stories"
HIDDEN, WIDTH, BATCH, STEPS = 96, 48, 64, 850
NUMBERS = "no one two three four five six seven eight".split()
COLORS = "red green blue yellow black".split()
SHAPES = "circle square triangle star cross".split()
CORNERS = {"circle": "no", "square": "four", "triangle": "three", "star": "five", "cross": "twelve"}
PLACES = "above below beside inside".split()
SAID = ("", "the", "The RED Star is", "the green triangle is above the", "the blue cross is inside the red circle. the ", "one and two are", "one and two", "four and four", "h\u00e9llo \u2603 the yellow square", "zzz 123 !?", "and and. and")


def story(rng):
    """Three sentences: where something is, how many corners it has, and a sum. One story in three begins later, so that a prompt may begin anywhere."""
    of = lambda words: words[rng.integers(len(words))]
    color, shape, a, b = of(COLORS), of(SHAPES), *rng.integers(1, 5, 2)
    said = [f"the {color} {shape} is {of(PLACES)} the {of(COLORS)} {of(SHAPES)}.", f"the {color} {shape} has {CORNERS[shape]} corners.",
            f"{NUMBERS[a]} and {NUMBERS[b]} are {NUMBERS[a + b]} {of(SHAPES).replace('cross', 'crosse')}s."]
    return " ".join(said[max(0, rng.integers(-3, 3)):])


def stories(rng, length, tokens):
    """Tokens of stories, one after the other: 0, the words of one, 0, ..."""
    row = []
    while len(row) < length:
        row += [0] + [tokens.index(word) + 1 for word in re.findall(r"[a-z]+|\.", story(rng))]
    return np.array(row[:length], np.int32)


def parameter():
    """The model's parameter token_loop, as a text."""
    return re.search(r"key: \"token_loop\".*?string_value: '(.*?)'", (pipeline.REPOSITORY / MODEL / "config.pbtxt").read_text(), re.S)[1]


def start(rng, tokens):
    """Weights before training: table [tokens, 3 hidden], recurrent [hidden, 3 hidden], bias, out [hidden, tokens], out_bias."""
    normal = lambda *shape: (rng.normal(size=shape) / np.sqrt(HIDDEN)).astype(np.float32)
    return {"table": normal(tokens, 3 * HIDDEN), "recurrent": normal(HIDDEN, 3 * HIDDEN), "bias": np.zeros(3 * HIDDEN, np.float32),
            "out": normal(HIDDEN, tokens), "out_bias": np.zeros(tokens, np.float32)}


def loss(w, batch):
    """Mean cross-entropy of each next token, in nats; batch [rows, length]."""
    import jax
    import jax.numpy as jnp

    def step(state, token):
        gates, past = w["table"][token], state @ w["recurrent"] + w["bias"]
        (gz, gr, gn), (pz, pr, pn) = jnp.split(gates, 3, 1), jnp.split(past, 3, 1)
        z, r = jax.nn.sigmoid(gz + pz), jax.nn.sigmoid(gr + pr)
        state = (1 - z) * jnp.tanh(gn + r * pn) + z * state
        return state, state

    _, states = jax.lax.scan(step, jnp.zeros((batch.shape[0], HIDDEN)), batch[:, :-1].T)
    scores = jax.nn.log_softmax(states @ w["out"] + w["out_bias"])
    return -jnp.take_along_axis(scores, batch[:, 1:].T[..., None], -1).mean()


def step_graph(w):
    """ONNX of one step: token [batch] and state [batch, hidden] give scores [batch, tokens] and next_state."""
    node, tokens = helper.make_node, w["out"].shape[1]
    nodes = [node("Gather", ["table", "token"], ["gates"]), node("MatMul", ["state", "recurrent"], ["turned"]), node("Add", ["turned", "bias"], ["past"]),
             node("Split", ["gates", "thirds"], ["gz", "gr", "gn"], axis=1), node("Split", ["past", "thirds"], ["pz", "pr", "pn"], axis=1),
             node("Add", ["gz", "pz"], ["sz"]), node("Sigmoid", ["sz"], ["z"]), node("Add", ["gr", "pr"], ["sr"]), node("Sigmoid", ["sr"], ["r"]),
             node("Mul", ["r", "pn"], ["rn"]), node("Add", ["gn", "rn"], ["sn"]), node("Tanh", ["sn"], ["n"]),
             node("Sub", ["one", "z"], ["rest"]), node("Mul", ["rest", "n"], ["new"]), node("Mul", ["z", "state"], ["kept"]), node("Add", ["new", "kept"], ["next_state"]),
             node("MatMul", ["next_state", "out"], ["read"]), node("Add", ["read", "out_bias"], ["scores"])]
    constants = [numpy_helper.from_array(v.astype(np.float32), k) for k, v in w.items()]
    constants += [numpy_helper.from_array(np.array([HIDDEN] * 3, np.int64), "thirds"), numpy_helper.from_array(np.array(1, np.float32), "one")]
    floats = lambda name, n: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", n])
    graph = helper.make_graph(nodes, MODEL, [helper.make_tensor_value_info("token", TensorProto.INT64, ["batch"]), floats("state", HIDDEN)],
                              [floats("scores", tokens), floats("next_state", HIDDEN)], constants)
    return ops.finished(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), {"task": "raw"})


class Session:
    """The step by ONNX Runtime, as model.py's Network has it."""

    def __init__(self, path):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def start(self):
        return np.zeros((1, HIDDEN), np.float32)

    def __call__(self, token, state):
        scores, state = self.session.run(None, {"token": np.array([token], np.int64), "state": state})
        return scores[0], state


def served():
    """The module 1/model.py, without a Triton around it."""
    spec = importlib.util.spec_from_file_location("stories_model", folder() / "1" / "model.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault("triton_python_backend_utils", types.ModuleType("triton_python_backend_utils"))
    spec.loader.exec_module(module)
    return module


def folder():
    return pipeline.REPOSITORY / MODEL


def texts(step):
    """What follows the texts of SAID by a step, as golden/texts.json has it."""
    loop = served().Loop(parameter(), step)
    asked = [{"text": said} for said in SAID] + [{"text": "the", "max_tokens": n} for n in (1, 7, 0, -5, 2**31 - 1)]
    asked += [{"text": "", "temperature": t, "seed": s} for t, s in ((0.7, 1), (1.0, -3), (5.0, 12345678901), (1e30, 2))]
    asked += [{"text": "the red circle is above the blue square. " * 30 + "the"}, {"text": "\x00the\x00 red\x00 star\x00"}]
    return [a | {"answer": b"".join(loop.run(a["text"].encode(), a.get("max_tokens"), a.get("temperature", 0.0), a.get("seed", 0))).decode()} for a in asked]


def write_golden():
    """golden/texts.json, by ONNX Runtime; NumPy has to give the same."""
    got, again = texts(Session(folder() / "1" / "model.onnx")), texts(served().Network(folder() / "1" / "weights.npz"))
    if got != again:
        raise AssertionError(f"ONNX Runtime and NumPy differ: {[(a, b) for a, b in zip(got, again) if a != b]}")
    (folder() / "golden").mkdir(exist_ok=True)
    (folder() / "golden" / "texts.json").write_text(json.dumps({"made_with": {"onnxruntime": onnxruntime.__version__}, "texts": got}, indent=1) + "\n")
    return got


def true(text):
    """Whether a text is one that story() could have made."""
    color, shape, number = (f"(?:{'|'.join(words)})" for words in (COLORS, SHAPES, NUMBERS))
    where, corners = rf"the ({color} {shape}) is (?:{'|'.join(PLACES)}) the {color} {shape}\. ", rf"the ({color}) ({shape}) has (\w+) corners\. "
    m = re.fullmatch(rf"(?:(?:{where})?{corners})?({number}) and ({number}) are ({number}) (?:{shape}|crosse)s\.", text)
    if not m:
        return False
    first, color, shape, said, a, b, total = m.groups()
    return (not shape or said == CORNERS[shape]) and first in (None, f"{color} {shape}") and NUMBERS.index(a) + NUMBERS.index(b) == NUMBERS.index(total)


def train():
    """Trains, writes model.onnx, weights.npz (both of the same 16-bit values) and golden/texts.json."""
    import jax.numpy as jnp

    import fit
    tokens = json.loads(parameter())["tokens"].split()
    rng = np.random.default_rng(21)

    def batches():
        while True:
            yield np.stack([stories(rng, WIDTH + 1, tokens) for _ in range(BATCH)])

    w = fit.fit(start(rng, len(tokens) + 1), loss, batches(), STEPS, rate=1e-2, decay=1e-4, average=0.99)
    small = {name: np.asarray(value).astype(np.float16) for name, value in w.items()}
    path = onnxfile.save(step_graph({name: value.astype(np.float32) for name, value in small.items()}), MODEL, 1)
    np.savez(folder() / "1" / "weights.npz", **small)
    write_golden()
    held = np.stack([stories(np.random.default_rng(1000 + i), WIDTH + 1, tokens) for i in range(50)])
    nats = float(loss({name: jnp.asarray(value, np.float32) for name, value in small.items()}, held))
    loop = served().Loop(parameter(), Session(path))
    said = [b"".join(loop.run(b"", 256, 1.0, seed)).decode() for seed in range(200)]
    size = sum((folder() / "1" / name).stat().st_size for name in ("model.onnx", "weights.npz"))
    return [("cross-entropy of the next token, held-out texts", f"{nats:.3f} nats"), ("stories drawn at temperature 1 that are true and well formed", f"{sum(map(true, said))} of 200"),
            ("both files", f"{size / 1024:.0f} KiB")]
