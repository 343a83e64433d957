"""What the original libraries do, for one spec of task.yaml."""
import io
import os

os.environ["OPENCV_IPP"] = "disabled"  # Intel's closed library is in the wheel only, and rounds cv2-cubic otherwise than OpenCV's own code

import cv2
import numpy as np
import PIL
from PIL import Image, ImageOps, features

PIL_FILTERS = {"pil-nearest": Image.Resampling.NEAREST, "pil-bilinear": Image.Resampling.BILINEAR, "pil-bicubic": Image.Resampling.BICUBIC,
               "pil-lanczos": Image.Resampling.LANCZOS, "pil-box": Image.Resampling.BOX, "pil-hamming": Image.Resampling.HAMMING}
CV2_FILTERS = {"cv2-nearest": cv2.INTER_NEAREST, "cv2-linear": cv2.INTER_LINEAR, "cv2-cubic": cv2.INTER_CUBIC, "cv2-area": cv2.INTER_AREA,
               "cv2-lanczos": cv2.INTER_LANCZOS4}


def versions():
    return {"pillow": PIL.__version__, "opencv": cv2.__version__, "numpy": np.__version__,
            "libjpeg_turbo": features.version("libjpeg_turbo"), "webp": features.version("webp")}


def decode(data, spec):
    """RGB or gray uint8, upright where the spec says so, by the library that the resampler belongs to."""
    apply = spec["preprocess"].get("exif", "apply") == "apply"
    gray = spec["input"].get("color") == "GRAY"
    if spec["preprocess"]["resize"].get("resample", "pil-").startswith("cv2-"):
        flags = cv2.IMREAD_COLOR | (0 if apply else cv2.IMREAD_IGNORE_ORIENTATION)
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
        return cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[..., None] if gray else cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    image = Image.open(io.BytesIO(data))
    if apply:
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # 16-bit gray: the high byte, as OpenCV does it; Pillow would clip
        image = Image.fromarray((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8))
    image = image.convert("RGB")
    return np.asarray(image.convert("L"))[..., None] if gray else np.asarray(image)


def resample(image, width, height, method):
    if (width, height) == (image.shape[1], image.shape[0]):
        return image
    channels = image.shape[2]
    flat = image[..., 0] if channels == 1 else image
    if method in PIL_FILTERS:
        out = np.asarray(Image.fromarray(flat).resize((width, height), PIL_FILTERS[method]))
    else:
        out = cv2.resize(flat, (width, height), interpolation=CV2_FILTERS[method])
    return out.reshape(height, width, channels)


def crop(image, want_h, want_w, floor):
    """torchvision's center_crop, or Hugging Face's, written from their documentation."""
    height, width = image.shape[:2]
    if height < want_h or width < want_w:
        missing_h, missing_w = max(0, want_h - height), max(0, want_w - width)
        top, left = ((missing_h + 1) // 2, (missing_w + 1) // 2) if floor else (missing_h // 2, missing_w // 2)
        image = np.pad(image, ((top, missing_h - top), (left, missing_w - left), (0, 0)))
        height, width = image.shape[:2]
    if floor:
        top, left = (height - want_h) // 2, (width - want_w) // 2
    else:
        top, left = int(round((height - want_h) / 2.0)), int(round((width - want_w) / 2.0))
    return image[top:top + want_h, left:left + want_w]


def pixels(data, spec):
    steps = spec["preprocess"]
    resize = steps["resize"]
    image = decode(data, spec)
    height, width = image.shape[:2]
    mode, method, size = resize["mode"], resize.get("resample"), resize.get("size")
    if mode == "stretch":
        image = resample(image, size[1], size[0], method)
    elif mode in ("shortest-edge", "longest-edge"):
        short, long = min(width, height), max(width, height)
        edge = size[0]
        if mode == "shortest-edge":
            short, long = edge, int(edge * long / short)
        else:
            short, long = max(1, int(edge * short / long)), edge
        image = resample(image, *((short, long) if width <= height else (long, short)), method)
        if "pad" in resize:
            image = np.pad(image, ((0, edge - image.shape[0]), (0, edge - image.shape[1]), (0, 0)), constant_values=resize["pad"])
    elif mode == "letterbox":
        want_h, want_w = size
        r = min(want_h / height, want_w / width)
        new_w, new_h = max(1, round(width * r)), max(1, round(height * r))
        dw, dh = (want_w - new_w) / 2, (want_h - new_h) / 2
        image = resample(image, new_w, new_h, method)
        image = np.pad(image, ((round(dh - 0.1), round(dh + 0.1)), (round(dw - 0.1), round(dw + 0.1)), (0, 0)),
                       constant_values=resize.get("pad", 114))
        assert image.shape[:2] == (want_h, want_w)
    if "crop" in steps:
        image = crop(image, *steps["crop"]["size"], steps["crop"].get("round") == "floor")
    return np.ascontiguousarray(image)


def tensor(image, spec):
    steps, given = spec["preprocess"], spec["input"]
    if given.get("color") == "BGR":
        image = image[..., ::-1]
    if given["dtype"] != "UINT8":
        values = np.float32(image.astype(np.float64) * steps.get("scale", 1.0))
        mean = np.array(steps.get("mean", [0.0]), np.float32)
        std = np.array(steps.get("std", [1.0]), np.float32)
        image = (values - mean) / std
        assert image.dtype == np.float32
        if given["dtype"] == "FP16":
            image = image.astype(np.float16)
    if given["layout"] == "NCHW":
        image = image.transpose(2, 0, 1)
    return np.ascontiguousarray(image)
