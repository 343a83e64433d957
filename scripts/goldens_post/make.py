#!/usr/bin/env python3
"""Writes postprocess/golden/cases.json: outputs of models, and what NumPy and SciPy make of them.

Run it with the environment of the training scripts: .cache/train/bin/python scripts/goldens_post/make.py
Tensors are base64 of little-endian bytes. Nothing here shares code with the gateway.
"""
import base64
import json
import pathlib

import numpy as np
from scipy.special import expit, softmax

root = pathlib.Path(__file__).resolve().parents[2] / "postprocess" / "golden"
random = np.random.default_rng(20240607)


def bf16(a):
    """The upper half of a float32's bits, rounded towards zero."""
    return (a.astype("<f4").view("<u4") >> 16).astype("<u2")


def tensor(name, a, dtype="FP32"):
    raw = bf16(a) if dtype == "BF16" else a.astype({"FP32": "<f4", "FP16": "<f2", "FP64": "<f8"}[dtype])
    return {"name": name, "datatype": dtype, "shape": list(a.shape), "data": base64.b64encode(raw.tobytes()).decode()}


def seen(a, dtype):
    """The values that are left after the trip through dtype, as float64."""
    if dtype == "BF16":
        return (bf16(a).astype("<u4") << 16).view("<f4").astype("f8")
    return a.astype({"FP32": "<f4", "FP16": "<f2", "FP64": "<f8"}[dtype]).astype("f8")


def classify(activation, dtype, classes, k, spread):
    logits = random.normal(0, spread, (1, classes))
    x = seen(logits, dtype)[0]
    scores = {"softmax": softmax, "sigmoid": expit, "none": lambda v: v}[activation](x)
    order = np.argsort(-scores, kind="stable")[:k]
    return {"task": "image-classification", "output": {"name": "y", "activation": activation, "top_k": k}, "tensors": [tensor("y", logits, dtype)],
            "predictions": [{"index": int(i), "score": float(scores[i])} for i in order]}


def nms(boxes, scores, classes, threshold):
    """Greedy, class by class, on the whole matrix of overlaps."""
    order = np.argsort(-scores, kind="stable")
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    left_top = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    right_bottom = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    inter = np.prod(np.clip(right_bottom - left_top, 0, None), axis=2)
    overlap = inter / (area[:, None] + area[None, :] - inter)
    covers = (overlap > threshold) & (classes[:, None] == classes[None, :])
    alive, keep = np.ones(len(scores), bool), []
    for i in order:
        if alive[i]:
            keep.append(i)
            alive &= ~covers[i]
    return keep


def frame(width, height, size):
    """Ultralytics' letterbox."""
    r = min(size / width, size / height)
    w, h = round(width * r), round(height * r)
    return {"SourceWidth": width, "SourceHeight": height, "Width": size, "Height": size, "ScaleX": w / width, "ScaleY": h / height,
            "OffsetX": round((size - w) / 2 - 0.1), "OffsetY": round((size - h) / 2 - 0.1)}


def to_source(boxes, f):
    out = (boxes - [f["OffsetX"], f["OffsetY"]] * 2) / ([f["ScaleX"], f["ScaleY"]] * 2)
    return np.clip(out, 0, [f["SourceWidth"], f["SourceHeight"]] * 2)


def detect(head, dtype, classes, objects, width, height, confidence=0.25, iou=0.45, limit=300):
    size, n = 160, objects * 4
    centre = np.repeat(random.uniform(-10, size + 10, (objects, 2)), 4, axis=0) + random.normal(0, 2, (n, 2))
    extent = np.repeat(random.uniform(8, 60, (objects, 2)), 4, axis=0) * random.uniform(0.8, 1.2, (n, 2))
    scores = random.uniform(0, 0.3, (n, classes))
    scores[np.arange(n), np.repeat(random.integers(0, classes, objects), 4)] = random.uniform(0.1, 1, n)
    objectness = random.uniform(0.2, 1, (n, 1))
    table = np.concatenate([centre, extent] + ([objectness] if head == "yolov5" else []) + [scores], axis=1)
    x = seen(table, dtype).astype("f4")
    if head == "yolov5":
        x[:, 5:] *= x[:, 4:5]
        keep = x[:, 4] > np.float32(confidence)
        x = np.delete(x, 4, axis=1)
    else:
        keep = np.ones(n, bool)
    best, score = x[:, 4:].argmax(1), x[:, 4:].max(1)
    keep &= score > np.float32(confidence)
    xy, wh = x[keep, :2].astype("f8"), x[keep, 2:4].astype("f8")
    boxes, best, score = np.concatenate([xy - wh / 2, xy + wh / 2], axis=1), best[keep], score[keep]
    kept = nms(boxes, score, best, iou)[:limit]
    f = frame(width, height, size)
    found = to_source(boxes[kept], f)
    data = table if head == "yolov5" else table.T
    return {"task": "object-detection", "tensors": [tensor("y", data[None], dtype)], "frame": f,
            "output": {"name": "y", "head": head, "confidence": confidence, "iou": iou, "max_detections": limit},
            "detections": [{"index": int(best[k]), "score": float(score[k]), "box": [float(v) for v in b]} for k, b in zip(kept, found)]}


def embed(pool, normalize, dtype):
    tokens = random.normal(0, 3, (1, 7, 12))
    x = seen(tokens, dtype)[0]
    x = {"cls": lambda: x[0], "mean": lambda: x.mean(0), "none": lambda: x.ravel()}[pool]()
    if normalize:
        x = x / np.linalg.norm(x)
    return {"task": "image-feature-extraction", "output": {"name": "y", "pool": pool, "normalize": normalize}, "tensors": [tensor("y", tokens, dtype)],
            "embedding": [float(v) for v in x]}


def main():
    dtypes = ["FP32", "FP16", "BF16", "FP64"]
    cases = [classify(a, d, c, k, s) for a in ["softmax", "sigmoid", "none"] for d in dtypes for c, k, s in [(5, 5, 3), (101, 7, 12)]]
    cases += [detect(h, d, c, o, w, t) for h in ["yolov8", "yolov5"] for d in dtypes for c, o, w, t in [(5, 12, 640, 480), (2, 9, 99, 301)]]
    cases += [detect("yolov8", "FP32", 3, 20, 160, 160, 0.1, 0.7, 6)]
    cases += [embed(p, n, d) for p in ["none", "cls", "mean"] for n in [False, True] for d in ["FP32", "FP16"]]
    root.mkdir(exist_ok=True)
    (root / "cases.json").write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
    print(len(cases), "cases")


main()
