"""The pictures of golden/ and golden/expected.json: what the reference pipeline answers for each of them."""

import io
import json

import numpy as np
import onnxruntime
import PIL
import cv2
from PIL import Image

import onnxfile
import pipeline
import scenes

# name, seed, (height, width), shapes: chosen by hand for variety; each is certain (score > 0.8).
PICTURES = {
    "shapes": [
        ("circle-1.png", 101, (480, 640), "circle"), ("square-1.png", 102, (333, 251), "square"),
        ("triangle-1.png", 103, (97, 131), "triangle"), ("star-1.jpg", 104, (480, 640), "star"),
        ("cross-1.webp", 105, (360, 480), "cross"), ("circle-2.jpg", 106, (720, 1280), "circle"),
        ("star-2.png", 107, (72, 72), "star"), ("triangle-rotated.jpg", 108, (400, 300), "triangle"),
    ],
    "shapes-int8": [("circle-1.png", 101, (480, 640), "circle"), ("square-1.png", 102, (333, 251), "square"), ("star-1.jpg", 104, (480, 640), "star"), ("triangle-1.png", 103, (97, 131), "triangle")],
    "shapes-slow": [("cross-1.webp", 105, (360, 480), "cross"), ("star-1.jpg", 104, (480, 640), "star"), ("triangle-1.png", 103, (97, 131), "triangle")],
    "shapes-detector": [
        ("circle-star-1.png", 2010, (480, 640), "circle star"), ("square-triangle-cross-1.png", 202, (351, 527), "square triangle cross"),
        ("five-1.jpg", 20381, (480, 640), "circle square triangle star cross"), ("cross-star-1.webp", 2042, (360, 640), "cross star"),
        ("triangles-tall-1.png", 205, (401, 229), "triangle triangle"), ("square-circle-rotated.jpg", 206, (640, 480), "square circle"),
        ("star-small-1.png", 207, (160, 160), "star"),
    ],
    "digits": [(f"{d}-1.{ext}", 300 + d, size, str(d)) for d, ext, size in
               ((0, "png", (64, 64)), (1, "png", (8, 8)), (3, "png", (37, 29)), (4, "webp", (96, 96)), (6, "png", (120, 90)),
                (7, "jpg", (128, 128)), (9, "png", (240, 240)))],
}


def encode(name, rgb):
    """File bytes in the format that the name says; "rotated" is stored on its side with EXIF orientation 6."""
    buf, img = io.BytesIO(), Image.fromarray(rgb)
    if "rotated" in name:
        exif = Image.Exif()
        exif[0x0112] = 6
        img.transpose(Image.Transpose.ROTATE_90).save(buf, "JPEG", quality=90, exif=exif)
    elif name.endswith(".jpg"):
        img.save(buf, "JPEG", quality=88)
    elif name.endswith(".webp"):
        img.save(buf, "WEBP", quality=88)
    else:
        img.save(buf, "PNG", optimize=True)
    return buf.getvalue()


def picture(model, seed, size, what):
    """uint8 pixels: a drawn scene, or a held-out digit enlarged."""
    rng = np.random.default_rng(seed)
    if model == "digits":
        import digits
        held, truth = digits.split()[1]
        pick = rng.choice(np.flatnonzero(truth == int(what)))
        small = np.clip(np.round(held[pick] * 255 / 16), 0, 255).astype(np.uint8)
        return np.asarray(Image.fromarray(small).resize((size[1], size[0]), Image.Resampling.BILINEAR if max(size) > 8 else Image.Resampling.NEAREST))
    if model in ("shapes", "shapes-int8", "shapes-slow"):
        return scenes.single(what, rng, size=size)
    return scenes.several(rng, size=size, kinds=what.split())[0]


def answers(model, data, task):
    """What the reference pipeline says of one file, for every version."""
    tensor, pixels, frame, size = pipeline.preprocess(data, task)
    out = {"width": size[0], "height": size[1], "pixels_sha256": pipeline.digest(pixels), "tensor_shape": list(tensor.shape),
           "tensor_sha256": pipeline.digest(tensor), "versions": {}}
    for path in sorted((pipeline.REPOSITORY / model).glob("[0-9]*/model.onnx")):
        raw = onnxfile.session(path)(tensor)[0]
        if task["task"] == "object-detection":
            out["versions"][path.parent.name] = {"detections": [
                {"label": task["labels"][int(r[5])], "index": int(r[5]), "score": float(r[4]),
                 "box": dict(zip(("x1", "y1", "x2", "y2"), map(float, r[:4])))}
                for r in pipeline.detections(raw, frame, size, task)]}
        else:
            out["versions"][path.parent.name] = {"predictions": pipeline.top(pipeline.softmax(raw), task["labels"], task["output"]["top_k"])}
    return out


def digit_rows(task):
    """rows.json of digits: held-out rows and what ONNX Runtime answers for them."""
    import digits
    import tabular
    held, truth = digits.split()[1]
    scores = pipeline.softmax(onnxfile.session(pipeline.REPOSITORY / "digits" / "1" / "model.onnx")(held[:60, None]))
    tabular.write_rows("digits", [{"row": x.ravel().tolist(), "prediction": task["labels"][int(p.argmax())], "probabilities": p.round(7).tolist(),
                                   "truth": task["labels"][t]} for x, p, t in zip(held[:60], scores, truth)])


def write(model):
    """Draws the pictures again (same bytes for the same seed and libraries) and writes expected.json."""
    if model not in PICTURES:
        return
    task, folder = pipeline.load_task(model), pipeline.REPOSITORY / model / "golden"
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for name, seed, size, what in PICTURES[model]:
        data = encode(name, picture(model, seed, size, what))
        (folder / name).write_bytes(data)
        files[name] = {"holds": what.split()} | answers(model, data, task)
    if model == "digits":
        digit_rows(task)
    made = {"onnxruntime": onnxruntime.__version__, "pillow": PIL.__version__, "opencv": cv2.__version__, "numpy": np.__version__}
    note = ("pixels_sha256: uint8 pixels (height, width, channel) after decode (Pillow), resize, pad and crop. "
            "tensor_sha256: little-endian float32 NCHW; scale, mean and std are float32 steps in that order.")
    (folder / "expected.json").write_text(json.dumps({"note": note, "made_with": made, "files": files}, indent=1) + "\n")
