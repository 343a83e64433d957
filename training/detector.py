"""shapes-detector: an anchor-free detector with two strides that answers in the YOLOv8 output layout."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

import onnxfile
import pipeline
import scenes
from fit import fit
from measure import average_precision
from ops import JaxOps, OnnxOps

MODEL = "shapes-detector"
SIDE, STRIDES, CLASSES = 160, (8, 16), 5
PLAN = {"pictures": 8000, "steps": 2600, "batch": 16}
MOST = 5  # boxes in a drawn scene


def network(o, x):
    """Per stride one map: 4 raw box sides, one logit for "a shape is centred here", and logits of which it is."""
    x = o.conv(x, "down0", 16, stride=2)
    x = o.conv(x, "down1", 24, stride=2)
    x = o.conv(x, "down2", 48, stride=2)
    fine = o.add(x, o.conv(o.conv(x, "fine0", 48), "fine1", 48))
    x = o.conv(fine, "down3", 96, stride=2)
    for i in range(2):
        x = o.add(x, o.conv(o.conv(x, f"deep{i}a", 48), f"deep{i}b", 96))
    mixed = o.conv(o.concat(o.double(o.conv(x, "lift", 32, kernel=1)), fine), "mixed", 56)
    deep = o.conv(x, "tower", 64)
    return [o.conv(y, name, 5 + CLASSES, kernel=1, relu=False, plain=True) for name, y in (("p8.out", mixed), ("p16.out", deep))]


def cells():
    """Cell centres [500, 2] in network pixels and strides [500, 1], stride 8 first, row by row."""
    centres, strides = [], []
    for s in STRIDES:
        n = SIDE // s
        y, x = np.mgrid[0:n, 0:n]
        centres.append(np.stack([x.ravel(), y.ravel()], 1) * s + s / 2)
        strides.append(np.full((n * n, 1), s))
    return np.concatenate(centres).astype(np.float32), np.concatenate(strides).astype(np.float32)


def rows(heads):
    """Head maps in JAX -> [n, 500, 5 + classes]."""
    return jnp.concatenate([h.reshape(h.shape[0], -1, h.shape[-1]) for h in heads], 1)


def sides(raw, strides):
    """Raw box values -> distances left, top, right, bottom in network pixels."""
    return jax.nn.softplus(raw) * strides


def assign(boxes, classes, centres, strides):
    """Which box each cell answers for. boxes [n, m, 4], classes [n, m] (-1 none) -> positive [n, c], box [n, c, 4], class [n, c]."""
    b = boxes[:, None]
    ltrb = jnp.concatenate([centres[None, :, None] - b[..., :2], b[..., 2:] - centres[None, :, None]], -1)
    middle = jnp.abs(centres[None, :, None] - (b[..., :2] + b[..., 2:]) / 2).max(-1)
    size = jnp.sqrt((b[..., 2] - b[..., 0]) * (b[..., 3] - b[..., 1]))
    level = jnp.where(strides[None] == STRIDES[0], size < 52, size > 36)
    fits = (ltrb.min(-1) > 0.5) & (middle < 1.3 * strides[None]) & level & (classes[:, None] >= 0)
    best = jnp.where(fits, size, jnp.inf).argmin(-1)
    return fits.any(-1), jnp.take_along_axis(boxes, best[..., None], 1), jnp.take_along_axis(classes, best, 1)


def overlap(p, t):
    """IoU and GIoU (Rezatofighi et al. 2019) of x1 y1 x2 y2 boxes along the last axis."""
    inter = jnp.clip(jnp.minimum(p[..., 2:], t[..., 2:]) - jnp.maximum(p[..., :2], t[..., :2]), 0).prod(-1)
    area = lambda a: (a[..., 2] - a[..., 0]) * (a[..., 3] - a[..., 1])
    union = area(p) + area(t) - inter
    hull = (jnp.maximum(p[..., 2:], t[..., 2:]) - jnp.minimum(p[..., :2], t[..., :2])).prod(-1)
    iou = inter / jnp.maximum(union, 1e-6)
    return iou, iou - (hull - union) / jnp.maximum(hull, 1e-6)


def loss_of(centres, strides):
    """Quality focal loss on presence (Li et al. 2020); cross-entropy on the class and GIoU on the box of positive cells."""
    def loss(params, batch):
        pictures, boxes, classes = batch
        out = rows(network(JaxOps(params), pictures))
        d = sides(out[..., :4], strides)
        got = jnp.concatenate([centres - d[..., :2], centres + d[..., 2:]], -1)
        positive, wanted, kind = assign(boxes, classes, centres, strides)
        wanted = jnp.where(positive[..., None], wanted, got)
        iou, giou = overlap(got, jax.lax.stop_gradient(wanted))
        count = jnp.maximum(positive.sum(), 1)
        quality = jnp.sqrt(jnp.clip(jax.lax.stop_gradient(iou), 0, 1))
        target, present = positive * quality, out[..., 4]
        entropy = jnp.logaddexp(0.0, present) - present * target
        presence = (target - jax.nn.sigmoid(present)) ** 2 * entropy
        which = optax.softmax_cross_entropy_with_integer_labels(out[..., 5:], jnp.maximum(kind, 0)) * positive
        return (2.0 * presence + 0.5 * which + 1.5 * (1 - giou) * positive).sum() / count
    return loss


def drawn(count, seed, task, **how):
    """Letterboxed uint8 pictures, boxes [count, MOST, 4] in network pixels, classes [count, MOST] with -1 for none."""
    rng = np.random.default_rng(seed)
    pictures = np.empty((count, SIDE, SIDE, 3), np.uint8)
    boxes, classes = np.zeros((count, MOST, 4), np.float32), np.full((count, MOST), -1)
    for i in range(count):
        source, b, c = scenes.several(rng, **how)
        pictures[i], (sx, sy, left, top) = pipeline.geometry(source, task["preprocess"])
        boxes[i, :len(b)] = b * [sx, sy, sx, sy] + [left, top, left, top]
        classes[i, :len(c)] = c
    return pictures, boxes, classes


def batches(pictures, boxes, classes, task, size, seed):
    """Endless random batches: the eight symmetries of the square, colour swaps, inversion."""
    rng = np.random.default_rng(seed)
    while True:
        pick = rng.integers(0, len(pictures), size)
        x, b = pictures[pick].copy(), boxes[pick].copy()
        for i in range(size):
            if rng.random() < 0.5:
                x[i], b[i] = x[i].transpose(1, 0, 2).copy(), b[i][:, [1, 0, 3, 2]]
            if rng.random() < 0.5:
                x[i], b[i] = x[i, :, ::-1].copy(), np.stack([SIDE - b[i, :, 2], b[i, :, 1], SIDE - b[i, :, 0], b[i, :, 3]], 1)
            if rng.random() < 0.5:
                x[i], b[i] = x[i, ::-1].copy(), np.stack([b[i, :, 0], SIDE - b[i, :, 3], b[i, :, 2], SIDE - b[i, :, 1]], 1)
            x[i] = x[i][:, :, rng.permutation(3)]
            if rng.random() < 0.15:
                x[i] = 255 - x[i]
        yield np.moveaxis(pipeline.normalise(x, task["preprocess"]), 1, -1), b, classes[pick]


def exported(params, task):
    """The ONNX model: network, then sides to centre and size, presence times class to scores, [n, 9, 500]."""
    o = OnnxOps(params)
    flat = []
    for name in network(o, "images"):
        flat.append(o.node("Reshape", [name, o.const(f"{name}.flat", np.array([0, 5 + CLASSES, -1], np.int64))]))
    both = o.node("Concat", flat, axis=2)
    o.node("Split", [both, o.const("parts", np.array([2, 2, 1, CLASSES], np.int64))],
           ["raw_lt", "raw_rb", "raw_present", "raw_class"], axis=1)
    centres, strides = cells()
    stride = o.const("strides", strides.T[None])
    near = o.node("Mul", [o.node("Softplus", ["raw_lt"]), stride])
    far = o.node("Mul", [o.node("Softplus", ["raw_rb"]), stride])
    shift = o.node("Mul", [o.node("Sub", [far, near]), o.const("half", np.array(0.5, np.float32))])
    middle = o.node("Add", [shift, o.const("centres", centres.T[None])])
    size = o.node("Add", [near, far])
    score = o.node("Mul", [o.node("Sigmoid", ["raw_present"]), o.node("Softmax", ["raw_class"], axis=1)])
    o.node("Concat", [middle, size, score], axis=1)
    meta = {"task": "detect", "names": dict(enumerate(task["labels"])), "stride": STRIDES[-1], "imgsz": [SIDE, SIDE],
            "batch": 1, "channels": 3, "end2end": False}
    return o.model(MODEL, ("images", [3, SIDE, SIDE]), ("output0", [4 + CLASSES, len(centres)]), meta)


def train(say=print):
    """Draws, trains, writes the ONNX file, measures it. Returns rows for the results table."""
    task = pipeline.load_task(MODEL)
    say(f"{MODEL}: drawing {PLAN['pictures']} pictures")
    data = drawn(PLAN["pictures"], 2001, task)
    params = {}
    network(JaxOps(params, np.random.default_rng(3)), np.zeros((1, SIDE, SIDE, 3), np.float32))
    for name in ("p8.out", "p16.out"):
        params[name]["b"][4] = -4.0
        params[name]["b"][:4] = 1.0
    centres, strides = cells()
    params = fit(params, loss_of(centres, strides), batches(*data, task, PLAN["batch"], 4), PLAN["steps"], rate=4e-3, say=say)
    path = onnxfile.save(exported(params, task), MODEL, 1)
    return measured(path, params, task)


def measured(path, params, task):
    """Rows for the results table: agreement with the trainer, size, time, mAP50 and mean IoU on held-out scenes."""
    run = onnxfile.session(path)
    held = drawn(16, 5, task)[0]
    x = pipeline.normalise(held, task["preprocess"])
    centres, strides = cells()
    raw = np.asarray(rows(network(JaxOps(params), np.moveaxis(x, 1, -1))))
    d = np.asarray(sides(raw[..., :4], strides))
    scores = pipeline.softmax(raw[..., 5:]) / (1 + np.exp(-raw[..., 4:5]))
    want = np.concatenate([centres + (d[..., 2:] - d[..., :2]) / 2, d[..., :2] + d[..., 2:], scores], -1)
    worst = onnxfile.differ(run(x) / 160, want.transpose(0, 2, 1) / 160)
    out = [("ONNX against JAX, largest difference over 160", f"{worst:.1e}"), ("file", f"{path.stat().st_size / 1024:.0f} KiB"),
           ("one picture, one core, median", f"{onnxfile.milliseconds(path, x[:1]):.2f} ms")]
    for name, count, how in (("120 to 640 pixels", 1000, {}), ("640x480", 300, {"size": (480, 640)}), ("1280x720", 100, {"size": (720, 1280)})):
        out.append((f"{count} held-out scenes, {name}", average_precision(run, count, 99, task, **how)))
    return out
