"""Which picture is put through which spec."""
from reference import CV2_FILTERS, PIL_FILTERS

IMAGENET = {"scale": 1 / 255, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


def spec(mode, size=None, resample=None, crop=None, pad=None, exif=None, layout="NCHW", dtype="FP32", color="RGB", floor=False, **numbers):
    resize = {"mode": mode}
    if size is not None:
        resize["size"] = [size, size] if isinstance(size, int) else list(size)
    if resample:
        resize["resample"] = resample
    if pad is not None:
        resize["pad"] = pad
    steps = {"resize": resize, **numbers}
    if crop:
        steps["crop"] = {"size": list(crop), **({"round": "floor"} if floor else {})}
    if exif:
        steps["exif"] = exif
    return {"input": {"layout": layout, "dtype": dtype, "color": color}, "preprocess": steps}


def all(files):
    unit = {"scale": 1 / 255}
    methods = list(PIL_FILTERS) + list(CV2_FILTERS)
    sizes = [f for f in files if f.startswith("rgb-") and "x" in f] + ["noise-53x47.png", "edges-60x40.png"]
    n = 0
    for name in sizes:  # each size with each resampler, half of the time as an enlargement of one side
        for method in methods:
            n += 1
            for size in [(17, 29), (40, 11)][n % 2:n % 2 + 1] + ([(67, 71)] if n % 4 == 0 else []):
                yield f"{name} stretch {size[0]}x{size[1]} {method}", name, spec("stretch", size, method, **unit)
    for name in ["rgb-97x61.png", "rgb-121x203.png", "rgb-7x333.png", "rgb-300x225.png", "rgb-3x5.png", "rgb-1x7.png"]:
        for method in ["pil-bilinear", "pil-bicubic", "cv2-linear", "cv2-area"]:
            yield f"{name} shortest-edge crop {method}", name, spec("shortest-edge", 36, method, crop=(32, 31), **IMAGENET)
            yield f"{name} shortest-edge crop floor {method}", name, spec("shortest-edge", 35, method, crop=(32, 32), floor=True, **IMAGENET)
            yield f"{name} longest-edge {method}", name, spec("longest-edge", 41, method, **unit)
            yield f"{name} longest-edge pad {method}", name, spec("longest-edge", 41, method, pad=0, **unit)
            yield f"{name} letterbox {method}", name, spec("letterbox", (64, 80), method, **unit)
    for gap in range(1, 6):  # odd and even gaps, too small as well
        for floor in (False, True):
            yield f"crop gap {gap} floor={floor}", "edges-60x40.png", spec("none", crop=(40 - gap, 60 + gap), floor=floor, **unit)
            yield f"crop gap -{gap} floor={floor}", "edges-60x40.png", spec("none", crop=(40 + gap, 60 - gap), floor=floor, **unit)
    yield "none", "rgb-97x61.png", spec("none", **unit)
    yield "pad 7", "rgb-97x61.png", spec("letterbox", (33, 70), "cv2-linear", pad=7, **unit)
    stored = [f for f in files if f not in sizes and not f.startswith(("exif", "rgb-1x", "rgb-9x", "rgb-2x"))]
    for name in stored:
        yield f"{name} as it is", name, spec("none", dtype="UINT8", layout="NHWC")
        yield f"{name} pil-bilinear", name, spec("shortest-edge", 28, "pil-bilinear", crop=(24, 24), **IMAGENET)
        yield f"{name} gray", name, spec("stretch", (19, 23), "pil-bicubic", color="GRAY", **unit)
        if name != "cmyk.jpg":  # CMYK becomes RGB by Pillow's formula, whatever the resampler
            yield f"{name} cv2-linear", name, spec("letterbox", (40, 40), "cv2-linear", **unit)
            yield f"{name} cv2 gray", name, spec("stretch", (19, 23), "cv2-linear", color="GRAY", **unit)
    for name in [f for f in files if f.startswith("exif")]:
        for exif in ("apply", "ignore"):
            yield f"{name} {exif} pil-bilinear", name, spec("stretch", (20, 14), "pil-bilinear", exif=exif, **unit)
            yield f"{name} {exif} pil-bicubic crop", name, spec("shortest-edge", 17, "pil-bicubic", crop=(16, 15), exif=exif, **IMAGENET)
            yield f"{name} {exif} pil-lanczos up", name, spec("stretch", (50, 60), "pil-lanczos", exif=exif, **unit)
            yield f"{name} {exif} pil-nearest", name, spec("stretch", (21, 40), "pil-nearest", exif=exif, **unit)
            if name.endswith((".jpg", ".png")):  # OpenCV 4.6 does not look for EXIF in WebP
                yield f"{name} {exif} cv2-linear", name, spec("letterbox", (32, 32), "cv2-linear", exif=exif, **unit)
    for layout in ("NCHW", "NHWC"):
        for color in ("RGB", "BGR", "GRAY"):
            for dtype in ("FP32", "FP16", "UINT8"):
                numbers = {} if dtype == "UINT8" else {"scale": 1 / 255, "mean": [0.5], "std": [0.25]} if color == "GRAY" else IMAGENET
                yield f"layout {layout} {color} {dtype}", "rgb-160x120.png", spec("letterbox", (30, 30), "pil-bilinear", layout=layout, color=color, dtype=dtype, **numbers)
    for scale, mean, std in [(1.0, [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]), (1 / 127.5, [1.0], [1.0]), (1 / 255, [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711])]:
        yield f"numbers {scale:.4f}", "noise-53x47.png", spec("none", scale=scale, mean=mean, std=std)
