"""digits: a small network for the 8 x 8 digits that ship inside scikit-learn; takes pictures and rows."""

import jax
import numpy as np
import optax
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import onnxfile
import pipeline
from fit import fit
from ops import JaxOps, OnnxOps

MODEL, STEPS = "digits", 4000


def network(o, x):
    """Logits of [n, 8, 8, 1]."""
    x = o.conv(x, "first", 16)
    x = o.conv(x, "second", 32, stride=2)
    return o.dense(o.dense(o.flatten(x), "hidden", 64, relu=True), "head", 10)


def split():
    """Train and held-out tenths: (x [n, 8, 8] in 0..16, y) twice, stratified, always the same."""
    data = load_digits()
    a, b, ya, yb = train_test_split(data.images.astype(np.float32), data.target, test_size=360, random_state=7, stratify=data.target)
    return (a, ya), (b, yb)


def batches(x, y, size, seed):
    """Endless random batches with a little noise and other ink strengths."""
    rng = np.random.default_rng(seed)
    while True:
        pick = rng.integers(0, len(x), size)
        b = x[pick] * rng.uniform(0.75, 1.1, (size, 1, 1)) + rng.normal(0, 0.5, (size, 8, 8))
        yield np.clip(b, 0, 16).astype(np.float32)[..., None], y[pick]


def train(say=print):
    """Trains, writes the ONNX file, measures it. Returns rows for the results table."""
    task, ((x, y), (held, truth)) = pipeline.load_task(MODEL), split()
    params = {}
    network(JaxOps(params, np.random.default_rng(11)), np.zeros((1, 8, 8, 1), np.float32))

    def loss(params, batch):
        target = optax.smooth_labels(jax.nn.one_hot(batch[1], 10), 0.03)
        return optax.softmax_cross_entropy(network(JaxOps(params), batch[0] / 16.0), target).mean()

    say(f"{MODEL}: {len(x)} digits to train on, {len(held)} held out")
    params = fit(params, loss, batches(x, y, 64, 12), STEPS, say=say)
    o = OnnxOps(params)
    scaled = o.node("Mul", ["input", o.const("sixteenth", np.array(1 / 16, np.float32))])
    network(o, scaled)
    meta = {"task": task["task"], "names": dict(enumerate(task["labels"]))}
    path = onnxfile.save(o.model(MODEL, ("input", [1, 8, 8]), ("logits", [10]), meta), MODEL, 1)
    run = onnxfile.session(path)
    got = run(held[:, None])
    worst = onnxfile.differ(got, network(JaxOps(params), held[..., None] / 16.0))
    return [("ONNX against JAX, largest difference", f"{worst:.1e}"), ("file", f"{path.stat().st_size / 1024:.0f} KiB"),
            ("one row, one core, median", f"{onnxfile.milliseconds(path, held[:1, None]):.3f} ms"),
            (f"accuracy, {len(held)} held-out digits", f"{(got.argmax(1) == truth).mean():.4f}")]
