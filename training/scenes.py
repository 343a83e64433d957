"""Whole pictures: one big shape (classification) or one to five shapes (detection)."""

import io
import math

import cv2
import numpy as np
from PIL import Image

import draw

ASPECTS = (1.0, 4 / 3, 3 / 4, 3 / 2, 2 / 3, 16 / 9, 9 / 16)


def extent(rng, low, high):
    """Random (height, width) with the longer side in low..high pixels, log-uniform."""
    longest = math.exp(rng.uniform(math.log(low), math.log(high)))
    aspect = ASPECTS[rng.integers(len(ASPECTS))]
    w, h = (longest, longest / aspect) if aspect >= 1 else (longest * aspect, longest)
    return max(16, round(h)), max(16, round(w))


def ground(shape, rng):
    """Background canvas and its base colour; white paper is common in what people send."""
    roll = rng.random()
    base = np.full(3, rng.uniform(235, 255)) if roll < 0.2 else rng.uniform(0, 255, 3)
    strength = rng.uniform(0, 8) if roll < 0.2 else rng.uniform(0, 40)
    return draw.background(shape, base, strength, rng), base


def clutter(canvas, base, rng):
    """A few thin lines and dots that are no shape."""
    h, w = canvas.shape[:2]
    for _ in range(int(rng.integers(1, 5))):
        colour = [float(v) for v in np.clip(base + rng.uniform(-80, 80, 3), 0, 255)]
        p, q = rng.integers(0, [w, h]), rng.integers(0, [w, h])
        cv2.line(canvas, tuple(map(int, p)), tuple(map(int, q)), colour,
                 int(max(1, min(h, w) * 0.006)), cv2.LINE_AA)


def finish(canvas, rng):
    """Camera and file: blur, noise, gray, JPEG. float32 [h, w, 3] -> uint8 RGB."""
    h, w = canvas.shape[:2]
    if rng.random() < 0.35:
        canvas = cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.3, 0.3 + 0.009 * min(h, w)))
    if rng.random() < 0.4:
        canvas = canvas + rng.standard_normal((h, w, 1), np.float32) * rng.uniform(2, 12)
    if rng.random() < 0.08:
        luma = canvas @ np.array([0.299, 0.587, 0.114], np.float32)
        canvas = np.repeat(luma[..., None], 3, 2)
    out = np.clip(canvas + 0.5, 0, 255).astype(np.uint8)
    if rng.random() < 0.4:
        out = through_jpeg(out, int(rng.integers(35, 96)))
    return out


def through_jpeg(rgb, quality):
    buf = io.BytesIO()
    Image.fromarray(rgb).save(buf, "JPEG", quality=quality)
    return np.asarray(Image.open(buf).convert("RGB"))


def single(kind, rng, low=72, high=420, size=None):
    """One shape, for the classifier. Returns uint8 RGB; the shape is mostly inside the centre square."""
    shape = size or extent(rng, low, high)
    h, w = shape
    canvas, base = ground(shape, rng)
    if rng.random() < 0.25:
        clutter(canvas, base, rng)
    short = min(h, w)
    s = short * rng.uniform(0.3, 0.92)
    slack = max(0.0, (short * 0.96 - s) / 2)
    at = np.array([w / 2, h / 2]) + rng.uniform(-1, 1, 2) * (slack * 0.9)
    draw.paint(canvas, draw.place(kind, s, rng) + at, base, s, rng)
    return finish(canvas, rng)


def several(rng, low=120, high=640, size=None, kinds=None):
    """One to five shapes. Returns (uint8 RGB, boxes [n, 4] x1 y1 x2 y2 in pixels, classes [n])."""
    shape = size or extent(rng, low, high)
    h, w = shape
    canvas, base = ground(shape, rng)
    if rng.random() < 0.25:
        clutter(canvas, base, rng)
    wanted = kinds or [draw.CLASSES[i] for i in rng.integers(0, len(draw.CLASSES), rng.integers(1, 6))]
    boxes, classes = [], []
    low_s = max(0.1 * max(h, w), 6.0)
    high_s = min(h, w) * (0.85 if len(wanted) == 1 else 0.6 if len(wanted) < 4 else 0.45)
    for kind in wanted:
        for _ in range(30):
            s = math.exp(rng.uniform(math.log(low_s), math.log(max(high_s, low_s * 1.1))))
            pts = draw.place(kind, s, rng)
            half = (pts.max(0) - pts.min(0)) / 2
            room = np.array([w, h]) - 2 * half - 2
            if (room <= 0).any():
                continue
            pts = pts + half + 1 + rng.uniform(0, 1, 2) * room
            box = np.concatenate([pts.min(0), pts.max(0)])
            if all(overlap(box, b) < 0.04 for b in boxes):
                draw.paint(canvas, pts, base, s, rng)
                boxes.append(box)
                classes.append(draw.CLASSES.index(kind))
                break
    return finish(canvas, rng), np.array(boxes, np.float32).reshape(-1, 4), np.array(classes, np.int64)


def overlap(a, b):
    """Shared area over the smaller of the two."""
    w = min(a[2], b[2]) - max(a[0], b[0])
    h = min(a[3], b[3]) - max(a[1], b[1])
    if w <= 0 or h <= 0:
        return 0.0
    return w * h / min((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1]))
