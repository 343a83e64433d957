"""Draws single shapes and backgrounds; everything random comes from the generator that is handed in.

A shape is a polygon in unit coordinates (radius 1 around the origin). It is painted through an
antialiased mask, so its extent is known to a fraction of a pixel and can serve as the box to learn.
"""

import math

import cv2
import numpy as np
from PIL import Image, ImageDraw

CLASSES = ("circle", "square", "triangle", "star", "cross")
SUPERSAMPLE = 3


def outline(kind, rng):
    """Vertices [n, 2] of one shape, y down, before rotation."""
    if kind == "circle":
        a = np.linspace(0, 2 * math.pi, 72, endpoint=False)
        return np.stack([np.cos(a), np.sin(a)], 1)
    if kind == "square":
        return np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * 0.9
    if kind == "triangle":
        a = np.array([-90, 30, 150]) * math.pi / 180
        return np.stack([np.cos(a), np.sin(a)], 1) * 1.15
    if kind == "star":
        a = (np.arange(10) * 36 - 90) * math.pi / 180
        r = np.where(np.arange(10) % 2 == 0, 1.1, 1.1 * rng.uniform(0.36, 0.5))
        return np.stack([np.cos(a) * r, np.sin(a) * r], 1)
    if kind == "cross":
        w = rng.uniform(0.26, 0.38)
        return np.array([[-w, -1], [w, -1], [w, -w], [1, -w], [1, w], [w, w], [w, 1], [-w, 1],
                         [-w, w], [-1, w], [-1, -w], [-w, -w]])
    raise ValueError(f"unknown shape {kind!r}; known: {', '.join(CLASSES)}")


def place(kind, size, rng):
    """Polygon [n, 2] in pixels around (0, 0); `size` is the longer side of its box in pixels."""
    pts = outline(kind, rng).copy()
    pts[:, 0] *= rng.uniform(0.9, 1.1)
    if kind != "circle":
        pts += rng.normal(0, 0.02, pts.shape) * (rng.random() < 0.4)
    a = rng.uniform(0, 2 * math.pi) if rng.random() < 0.75 else rng.normal(0, 0.08)
    c, s = math.cos(a), math.sin(a)
    pts = pts @ np.array([[c, s], [-s, c]])
    low, high = pts.min(0), pts.max(0)
    return (pts - (low + high) / 2) * (size / (high - low).max())


def mask(shape, pts, stroke=0.0):
    """Antialiased coverage [h, w] in 0..1; stroke > 0 paints only a line of that many pixels."""
    h, w = shape
    x0, y0 = np.floor(pts.min(0) - stroke - 2).astype(int)
    x1, y1 = np.ceil(pts.max(0) + stroke + 2).astype(int)
    k = SUPERSAMPLE
    tile = Image.new("L", ((x1 - x0) * k, (y1 - y0) * k), 0)
    flat = [tuple(p) for p in (pts - [x0, y0]) * k]
    d = ImageDraw.Draw(tile)
    if stroke > 0:
        d.line(flat + flat[:2], fill=255, width=max(1, round(stroke * k)), joint="curve")
    else:
        d.polygon(flat, fill=255)
    tile = tile.reduce(k)
    out = np.zeros((h, w), np.float32)
    cx0, cy0, cx1, cy1 = max(x0, 0), max(y0, 0), min(x1, w), min(y1, h)
    if cx1 > cx0 and cy1 > cy0:
        part = np.asarray(tile, np.float32)[cy0 - y0:cy1 - y0, cx0 - x0:cx1 - x0]
        out[cy0:cy1, cx0:cx1] = part / 255
    return out


def clouds(shape, rng, cells):
    """Smooth noise [h, w, 3] of about unit strength with `cells` knots along the longer side."""
    h, w = shape
    gh, gw = max(2, round(cells * h / max(h, w))), max(2, round(cells * w / max(h, w)))
    grid = rng.normal(0, 1, (gh, gw, 1 if rng.random() < 0.5 else 3)).astype(np.float32)
    grid = np.broadcast_to(grid, (gh, gw, 3)).copy()
    return cv2.resize(grid, (w, h), interpolation=cv2.INTER_LINEAR)


def gradient(shape, rng):
    """Plane [h, w, 1] that runs from -1 to 1 in a random direction."""
    h, w = shape
    a = rng.uniform(0, 2 * math.pi)
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    return ((x / w - 0.5) * math.cos(a) + (y / h - 0.5) * math.sin(a))[..., None] * 1.5


def background(shape, colour, strength, rng):
    """Picture [h, w, 3] float32 around `colour`; `strength` is the spread in 8-bit levels."""
    h, w = shape
    out = np.broadcast_to(colour.astype(np.float32), (h, w, 3)).copy()
    kind = rng.choice(["plain", "gradient", "clouds", "octaves", "stripes"], p=[0.3, 0.2, 0.2, 0.2, 0.1])
    if kind == "gradient":
        out += gradient(shape, rng) * strength * rng.uniform(-1, 1, 3)
    elif kind == "clouds":
        out += clouds(shape, rng, int(rng.integers(3, 40))) * strength * 0.7
    elif kind == "octaves":
        for cells, weight in ((4, 0.6), (12, 0.35), (48, 0.25)):
            out += clouds(shape, rng, cells) * strength * weight
    elif kind == "stripes":
        wave = np.sign(np.sin(gradient(shape, rng) * rng.uniform(8, 60)))
        out += wave * strength * 0.5
    return out


def contrasting(base, rng):
    """A colour that a person tells from `base` at once: >= 110 apart and >= 30 in brightness."""
    luma = np.array([0.299, 0.587, 0.114])
    for _ in range(100):
        c = rng.uniform(0, 255, 3)
        if np.linalg.norm(c - base) >= 110 and abs((c - base) @ luma) >= 30:
            return c
    return np.full(3, 255.0) if base.mean() < 128 else np.zeros(3)


def paint(canvas, pts, base, size, rng):
    """Paints one shape of about `size` pixels onto canvas [h, w, 3]; `base` is the colour under it."""
    shape = canvas.shape[:2]
    colour = contrasting(base, rng)
    if rng.random() < 0.15:
        shade = cv2.GaussianBlur(mask(shape, pts + rng.uniform(0.02, 0.07) * size), (0, 0), max(0.6, size * 0.03))
        canvas *= 1 - shade[..., None] * rng.uniform(0.2, 0.4)
    style = rng.choice(["solid", "shaded", "texture", "outline", "both"], p=[0.4, 0.15, 0.15, 0.2, 0.1])
    if style == "outline":
        stroke = max(1.5, size * rng.uniform(0.03, 0.1))
        inner = pts * 1.0
        middle = (pts.min(0) + pts.max(0)) / 2
        inner = middle + (pts - middle) * (1 - stroke / size)
        cover = mask(shape, inner, stroke)
        fill = np.broadcast_to(colour, canvas.shape)
    else:
        cover = mask(shape, pts)
        fill = np.broadcast_to(colour, canvas.shape).astype(np.float32)
        if style == "shaded":
            fill = fill + gradient(shape, rng) * 40
        elif style == "texture":
            fill = fill + clouds(shape, rng, int(rng.integers(8, 60))) * 18
    canvas += cover[..., None] * (fill - canvas)
    if style == "both":
        line = mask(shape, pts * 1.0, max(1.0, size * 0.03))
        canvas += line[..., None] * (contrasting(colour, rng) - canvas)
