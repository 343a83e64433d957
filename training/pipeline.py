"""Reference preprocess and postprocess: task.yaml carried out with Pillow, OpenCV and NumPy.

The models are trained on what these functions return, and the golden answers come from them.
"""

import hashlib
import io
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import yaml
from PIL import Image, ImageOps

REPOSITORY = Path(__file__).resolve().parent.parent / "model_repository"
PILLOW = {f"pil-{n.lower()}": getattr(Image.Resampling, n)
          for n in ("NEAREST", "BILINEAR", "BICUBIC", "LANCZOS", "BOX", "HAMMING")}
OPENCV = {"cv2-nearest": cv2.INTER_NEAREST, "cv2-linear": cv2.INTER_LINEAR, "cv2-cubic": cv2.INTER_CUBIC,
          "cv2-area": cv2.INTER_AREA, "cv2-lanczos": cv2.INTER_LANCZOS4}


def load_task(model):
    """The model's task.yaml as a dict, labels read from their file."""
    folder = REPOSITORY / model
    task = yaml.safe_load((folder / "task.yaml").read_text())
    if isinstance(task.get("labels"), str):
        task["labels"] = (folder / task["labels"]).read_text().split()
    return task


def decode(data, task):
    """File bytes -> uint8 pixels as a person sees them: [h, w, 3] RGB, or [h, w] for GRAY."""
    img = Image.open(io.BytesIO(data))
    if task["preprocess"].get("exif", "apply") == "apply":
        img = ImageOps.exif_transpose(img)
    return np.asarray(img.convert("L" if task["input"].get("color") == "GRAY" else "RGB"))


def resize(pixels, width, height, resample):
    """uint8 -> uint8 by the resampler that task.yaml names."""
    if pixels.shape[:2] == (height, width):
        return pixels
    if resample in PILLOW:
        return np.asarray(Image.fromarray(pixels).resize((width, height), PILLOW[resample]))
    return cv2.resize(pixels, (width, height), interpolation=OPENCV[resample])


def geometry(pixels, spec):
    """Resize, pad and crop. Returns (uint8 pixels, (scale x, scale y, left pad, top pad)) of the letterbox or stretch."""
    h, w = pixels.shape[:2]
    r = spec["resize"]
    mode, frame = r["mode"], (1.0, 1.0, 0, 0)
    if mode == "shortest-edge":
        s, short = r["size"], min(h, w)
        nw, nh = (s, int(s * h / w)) if w <= h else (int(s * w / h), s)
        pixels = resize(pixels, nw, nh, r["resample"])
        frame = (s / short, s / short, 0, 0)
    elif mode == "stretch":
        nh, nw = r["size"]
        pixels = resize(pixels, nw, nh, r["resample"])
        frame = (nw / w, nh / h, 0, 0)
    elif mode == "letterbox":
        th, tw = r["size"]
        gain = min(th / h, tw / w)
        nw, nh = round(w * gain), round(h * gain)
        dw, dh = (tw - nw) / 2, (th - nh) / 2
        top, bottom, left, right = round(dh - 0.1), round(dh + 0.1), round(dw - 0.1), round(dw + 0.1)
        pixels = resize(pixels, nw, nh, r["resample"])
        pixels = cv2.copyMakeBorder(pixels, top, bottom, left, right, cv2.BORDER_CONSTANT, value=(r.get("pad", 114),) * 3)
        frame = (gain, gain, left, top)
    else:
        raise ValueError(f"resize mode {mode!r} is not used by the demo models")
    if "crop" in spec:
        ch, cw = spec["crop"]["size"]
        h, w = pixels.shape[:2]
        top, left = round((h - ch) / 2.0), round((w - cw) / 2.0)
        pixels = pixels[top:top + ch, left:left + cw]
    return np.ascontiguousarray(pixels), frame


def normalise(pixels, spec):
    """uint8 [..., h, w(, c)] -> float32 [..., c, h, w]; each step is rounded to float32, as torchvision does."""
    scale = Fraction(str(spec.get("scale", 1)))
    x = pixels.astype(np.float32)
    if scale.numerator != 1:
        x = x * np.float32(scale.numerator)
    if scale.denominator != 1:
        x = x / np.float32(scale.denominator)
    if "mean" in spec:
        x = x - np.array(spec["mean"], np.float32)
    if "std" in spec:
        x = x / np.array(spec["std"], np.float32)
    if pixels.ndim >= 3 and pixels.shape[-1] == 3:
        return np.ascontiguousarray(np.moveaxis(x, -1, -3))
    return x[..., None, :, :]


def preprocess(data, task):
    """File bytes -> (float32 [1, c, h, w], uint8 pixels after geometry, frame, (width, height) of the source)."""
    source = decode(data, task)
    pixels, frame = geometry(source, task["preprocess"])
    return normalise(pixels, task["preprocess"])[None], pixels, frame, (source.shape[1], source.shape[0])


def softmax(logits):
    e = np.exp(logits.astype(np.float64) - logits.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def top(scores, labels, k):
    """Best k, ties by lower index."""
    order = sorted(range(len(scores)), key=lambda i: (-scores[i], i))[:k]
    return [{"label": labels[i], "index": i, "score": float(scores[i])} for i in order]


def iou(box, boxes):
    """Intersection over union of one x1 y1 x2 y2 box with [n, 4] others."""
    w = np.minimum(box[2], boxes[:, 2]) - np.maximum(box[0], boxes[:, 0])
    h = np.minimum(box[3], boxes[:, 3]) - np.maximum(box[1], boxes[:, 1])
    inter = np.clip(w, 0, None) * np.clip(h, 0, None)
    area = (box[2] - box[0]) * (box[3] - box[1]) + (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) - inter
    return inter / np.maximum(area, 1e-12)


def detections(output, frame, size, task, confidence=None):
    """[4 + nc, n] -> rows (x1, y1, x2, y2, score, class) in source pixels, best first; per-class greedy NMS in network pixels."""
    spec = task["output"]
    out = output.astype(np.float64)
    scores, classes = out[4:].max(0), out[4:].argmax(0)
    keep = np.flatnonzero(scores > (spec["confidence"] if confidence is None else confidence))
    keep = keep[np.argsort(-scores[keep], kind="stable")]
    cx, cy, w, h = out[:4, keep]
    boxes = np.stack([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], 1)
    scores, classes = scores[keep], classes[keep]
    alive, chosen = np.ones(len(keep), bool), []
    for i in range(len(keep)):
        if not alive[i] or len(chosen) == spec["max_detections"]:
            continue
        chosen.append(i)
        alive &= ~((iou(boxes[i], boxes) > spec["iou"]) & (classes == classes[i]))
    sx, sy, left, top_pad = frame
    boxes = (boxes[chosen] - [left, top_pad, left, top_pad]) / [sx, sy, sx, sy]
    boxes = np.clip(boxes, 0, [size[0], size[1]] * 2)
    return np.concatenate([boxes, scores[chosen, None], classes[chosen, None]], 1)


def digest(array):
    """SHA-256 of the little-endian bytes."""
    return hashlib.sha256(np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).tobytes()).hexdigest()
