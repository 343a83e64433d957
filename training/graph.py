"""graphs/golden/find-and-name.json: detect, crop and classify, done by hand with Pillow and ONNX Runtime."""

import io
import json

import numpy as np
import onnxruntime
import PIL
from PIL import Image, ImageOps

import onnxfile
import pipeline

ROOT = pipeline.REPOSITORY.parent
PAD = 0.1  # as in graphs/find-and-name.yaml
CLASSIFIER = "2"  # the version that is served


def classes(crop, task, session):
    """What the classifier says of one part of a picture."""
    pixels, _ = pipeline.geometry(np.asarray(crop), task["preprocess"])
    tensor = pipeline.normalise(pixels, task["preprocess"])[None]
    return pipeline.top(pipeline.softmax(session(tensor)[0]), task["labels"], task["output"]["top_k"])


def answer(data, find, detect, name, classify):
    """The detections of one file, each with what was found in its crop."""
    picture = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    tensor, _, frame, size = pipeline.preprocess(data, find)
    out = []
    for row in pipeline.detections(detect(tensor)[0], frame, size, find):
        x1, y1, x2, y2, score, index = map(float, row)
        dx, dy = (x2 - x1) * PAD, (y2 - y1) * PAD
        crop = picture.crop((max(x1 - dx, 0), max(y1 - dy, 0), min(x2 + dx, picture.width), min(y2 + dy, picture.height)))  # Pillow rounds
        out.append({"label": find["labels"][int(index)], "index": int(index), "score": score, "box": {"x1": x1, "y1": y1, "x2": x2, "y2": y2},
                    "crop": list(crop.size), "predictions": classes(crop, name, classify)})
    return {"width": picture.width, "height": picture.height, "detections": out}


def answers():
    """Answers for all sample pictures of the detector, by file."""
    find, name = pipeline.load_task("shapes-detector"), pipeline.load_task("shapes")
    detect = onnxfile.session(pipeline.REPOSITORY / "shapes-detector" / "1" / "model.onnx")
    classify = onnxfile.session(pipeline.REPOSITORY / "shapes" / CLASSIFIER / "model.onnx")
    folder = pipeline.REPOSITORY / "shapes-detector" / "golden"
    return {p.name: answer(p.read_bytes(), find, detect, name, classify) for p in sorted(folder.iterdir()) if p.suffix in (".png", ".jpg", ".webp")}


def write():
    """Writes graphs/golden/find-and-name.json."""
    files = answers()
    made = {"onnxruntime": onnxruntime.__version__, "pillow": PIL.__version__, "numpy": np.__version__}
    note = "crop: width and height of Pillow's Image.crop of the box with a margin of a tenth, clipped to the picture."
    target = ROOT / "graphs" / "golden" / "find-and-name.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps({"note": note, "made_with": made, "files": files}, indent=1) + "\n")
