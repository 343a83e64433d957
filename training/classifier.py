"""shapes: two convolutional classifiers, a small one (version 1) and a better one (version 2)."""

import jax
import numpy as np
import optax

import draw
import onnxfile
import pipeline
import scenes
from fit import fit
from ops import JaxOps, OnnxOps

MODEL = "shapes"
VERSIONS = {
    1: {"widths": (8, 16, 32), "blocks": 0, "pictures": 4000, "steps": 3000, "batch": 64},
    2: {"widths": (24, 48, 80), "blocks": 1, "pictures": 12000, "steps": 3000, "batch": 64},
}


def network(o, x, widths, blocks, classes):
    """Logits of [n, 64, 64, 3]: three strided convolutions, residual blocks, mean, one dense layer."""
    for i, width in enumerate(widths):
        x = o.conv(x, f"down{i}", width, stride=2)
    for i in range(blocks):
        y = o.conv(x, f"block{i}a", widths[-1])
        x = o.add(x, o.conv(y, f"block{i}b", widths[-1]))
    x = o.conv(x, "last", widths[-1] * 3 // 2, stride=2)
    return o.dense(o.mean(x), "head", classes)


def drawn(count, seed, task, margin, **how):
    """uint8 squares that are `margin` pixels larger than the network's input, and their classes."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % len(task["labels"])
    side = task["preprocess"]["crop"]["size"][0] + margin
    spec = dict(task["preprocess"], crop={"size": [side, side]})
    out = np.empty((count, side, side, 3), np.uint8)
    for i, c in enumerate(labels):
        out[i] = pipeline.geometry(scenes.single(draw.CLASSES[c], rng, **how), spec)[0]
    return out, labels


def batches(pictures, labels, task, size, seed):
    """Endless random batches: shifts, mirror images, quarter turns, colour swaps, inversion."""
    rng = np.random.default_rng(seed)
    side = task["preprocess"]["crop"]["size"][0]
    slack = pictures.shape[1] - side
    spec = task["preprocess"]
    while True:
        pick = rng.integers(0, len(pictures), size)
        out = np.empty((size, side, side, 3), np.uint8)
        for i, p in enumerate(pick):
            y, x = rng.integers(0, slack + 1, 2)
            tile = np.rot90(pictures[p, y:y + side, x:x + side], rng.integers(4))
            tile = tile[:, ::-1] if rng.random() < 0.5 else tile
            tile = tile[:, :, rng.permutation(3)]
            out[i] = 255 - tile if rng.random() < 0.2 else tile
        yield np.moveaxis(pipeline.normalise(out, spec), 1, -1), labels[pick]


def chosen(run, pictures, task):
    """The class that a model gives to each of the uint8 squares, which have the size of its input."""
    return np.concatenate([run(pipeline.normalise(pictures[i:i + 100], task["preprocess"])).argmax(1) for i in range(0, len(pictures), 100)])


def train(version, say=print):
    """Draws, trains, writes the ONNX file, measures it. Returns rows for the results table."""
    task, plan = pipeline.load_task(MODEL), VERSIONS[version]
    classes, shape = len(task["labels"]), (plan["widths"], plan["blocks"], len(task["labels"]))
    say(f"{MODEL} {version}: drawing {plan['pictures']} pictures")
    pictures, labels = drawn(plan["pictures"], 1000 + version, task, 8)
    params = {}
    network(JaxOps(params, np.random.default_rng(version)), np.zeros((1, 64, 64, 3), np.float32), *shape)

    def loss(params, batch):
        logits = network(JaxOps(params), batch[0], *shape)
        target = optax.smooth_labels(jax.nn.one_hot(batch[1], classes), 0.03)
        return optax.softmax_cross_entropy(logits, target).mean()

    params = fit(params, loss, batches(pictures, labels, task, plan["batch"], version), plan["steps"], say=say)
    o = OnnxOps(params)
    network(o, "input", *shape)
    meta = {"task": task["task"], "names": dict(enumerate(task["labels"])), "version": version}
    path = onnxfile.save(o.model(MODEL, ("input", [3, 64, 64]), ("logits", [classes]), meta), MODEL, version)
    run = onnxfile.session(path)
    probe = pipeline.normalise(pictures[:16, :64, :64], task["preprocess"])
    worst = onnxfile.differ(run(probe), network(JaxOps(params), np.moveaxis(probe, 1, -1), *shape))
    rows = [("ONNX against JAX, largest difference", f"{worst:.1e}"), ("file", f"{path.stat().st_size / 1024:.0f} KiB"),
            ("one picture, one core, median", f"{onnxfile.milliseconds(path, probe[:1]):.2f} ms")]
    for name, count, how in (("held-out drawings, 72 to 420 pixels", 3000, {}), ("held-out drawings at 640x480", 500, {"size": (480, 640)})):
        held, truth = drawn(count, 77, task, 0, **how)
        hits = chosen(run, held, task) == truth
        per = ", ".join(f"{n} {hits[truth == i].mean():.3f}" for i, n in enumerate(task["labels"]))
        rows.append((f"accuracy, {count} {name}", f"{hits.mean():.4f} ({per})"))
    return rows
