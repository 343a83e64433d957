"""Goes on with a text, and sends each word as a response of its own. weights.npz is the network; training/stories.py wrote it."""

import json
import re
from pathlib import Path

import numpy as np
import triton_python_backend_utils as pb

MASK = (1 << 64) - 1


class Network:
    """One step of a gated recurrent unit: a token and the state so far give scores of the next token and the next state."""

    def __init__(self, path):
        with np.load(path, allow_pickle=False) as file:
            self.w = {name: file[name].astype(np.float32) for name in file.files}

    def start(self):
        return np.zeros((1, self.w["recurrent"].shape[0]), np.float32)

    def __call__(self, token, state):
        gates = self.w["table"][token][None]
        past = state @ self.w["recurrent"] + self.w["bias"]
        (gz, gr, gn), (pz, pr, pn) = np.split(gates, 3, 1), np.split(past, 3, 1)
        z, r = 1 / (1 + np.exp(-(gz + pz))), 1 / (1 + np.exp(-(gr + pr)))
        state = (1 - z) * np.tanh(gn + r * pn) + z * state
        return (state @ self.w["out"] + self.w["out_bias"])[0], state


class Loop:
    """What the parameter token_loop says. Token 0 begins and ends a text; the others are its words, and the full stop."""

    def __init__(self, text, step):
        given = json.loads(text)
        self.tokens, self.step = given["tokens"].encode("ascii").split(), step
        self.prompt, self.usual, self.most = given["prompt"], given["max_tokens"], given["most_tokens"]

    def run(self, prompt, count=None, temperature=0.0, seed=0):
        """Yields the words that follow, as bytes with the space before them. Of the prompt the last bytes count; words that are no token are passed over.

        prompt: bytes. count: how many tokens at most, from 1 to most_tokens. temperature: 0 takes the likeliest token, 1 draws by the scores; at most 10.
        """
        prompt = prompt[-self.prompt:]
        state = self.step.start()
        scores, state = self.step(0, state)
        for word in re.findall(rb"[a-z]+|\.", prompt.lower()):
            if word in self.tokens:
                scores, state = self.step(self.tokens.index(word) + 1, state)
        count = self.usual if count is None else min(max(count, 1), self.most)
        space = b" " if prompt and not prompt.endswith(b" ") else b""
        for i in range(count):
            token = pick(scores, temperature, seed, i)
            if token == 0:
                return
            word = self.tokens[token - 1]
            yield word if word == b"." else space + word
            space = b" "
            if i + 1 < count:
                scores, state = self.step(token, state)


def pick(scores, temperature, seed, i):
    """The likeliest token, or with a temperature one drawn by the i-th number of the seed's row."""
    if not temperature > 0:
        return int(np.argmax(scores))
    scores = scores.astype(np.float64)
    shares = np.cumsum(np.exp((scores - scores.max()) / min(float(temperature), 10.0)))
    return min(int(np.searchsorted(shares, uniform(seed, i) * shares[-1], side="right")), len(scores) - 1)


def uniform(seed, i):
    """The i-th number of SplitMix64, of 53 bits, at least 0 and less than 1."""
    x = (seed + (i + 1) * 0x9E3779B97F4A7C15) & MASK
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & MASK
    x = (x ^ x >> 27) * 0x94D049BB133111EB & MASK
    return ((x ^ x >> 31) >> 11) / (1 << 53)


class TritonPythonModel:
    def initialize(self, args):
        text = json.loads(args["model_config"])["parameters"]["token_loop"]["string_value"]
        self.loop = Loop(text, Network(Path(__file__).with_name("weights.npz")))

    def execute(self, requests):
        for request in requests:
            self.answer(request)

    def answer(self, request):
        """Each word as it comes, or with stream = false all of them at the end."""
        def given(name, otherwise):
            tensor = pb.get_input_tensor_by_name(request, name)
            return otherwise if tensor is None else tensor.as_numpy().ravel()[0].item()

        prompt = pb.get_input_tensor_by_name(request, "text_input").as_numpy().ravel()[0]
        count, temperature, seed = given("max_tokens", None), given("temperature", 0.0), given("seed", 0)
        sender, streams, text = request.get_response_sender(), given("stream", True), b""
        send = lambda text: sender.send(pb.InferenceResponse([pb.Tensor("text_output", np.array([text], np.object_))]))
        for word in self.loop.run(prompt, count, temperature, seed):
            if request.is_cancelled():
                break
            if streams:
                send(word)
            text += word
        if not streams:
            send(text)
        sender.send(flags=pb.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
