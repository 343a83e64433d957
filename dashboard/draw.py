"""Answers drawn into the picture, by Pillow: boxes with labels, and masks."""

import io
import warnings

from PIL import Image, ImageDraw, ImageFont, ImageOps, UnidentifiedImageError

MOST_PIXELS = 50_000_000  # as the gateway takes them
SIDE, LEAST = 1280, 640  # pixels; a larger picture is drawn smaller, a smaller one larger, so that lines and letters are as fine in all
FORMATS = ("JPEG", "PNG", "WEBP")
# Colours that are told apart by most people and hold white text or dark text, as INK says.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a5195", "#8c564b")
INK = ("#ffffff", "#000000", "#000000", "#000000", "#000000", "#000000", "#ffffff", "#ffffff")


class Unreadable(Exception):
    """A picture that Pillow cannot open, or that is larger than the gateway would take. str() says why."""


def colour(index: int) -> tuple[str, str]:
    """Colour and text colour of a class."""
    return COLOURS[index % len(COLOURS)], INK[index % len(INK)]


def opened(data: bytes) -> Image.Image:
    """The picture as a person sees it, RGB. Its size is looked at before anything is decoded."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=FORMATS)
        if image.width * image.height > MOST_PIXELS:
            raise Unreadable(f"The picture is {image.width} × {image.height}; that is more than {MOST_PIXELS // 1_000_000} megapixels.")
        image.draft("RGB", (2 * SIDE, 2 * SIDE))  # a JPEG is decoded at half, a quarter or an eighth where that is enough
        return ImageOps.exif_transpose(image).convert("RGB")
    except UnidentifiedImageError as e:
        raise Unreadable("This is no JPEG, PNG or WebP picture.") from e
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning) as e:
        raise Unreadable(f"The picture cannot be shown: {e}") from e


def spans(counts: list[int], height: int) -> list[tuple[int, int, int]]:
    """(x, y, length) of each upright run of a mask in COCO's uncompressed run lengths: column by column, background first."""
    out, at, ink = [], 0, False
    for n in counts:
        left = n
        while ink and left > 0:
            x, y = divmod(at + n - left, height)
            step = min(left, height - y)
            out.append((x, y, step))
            left -= step
        at, ink = at + n, not ink
    return out


def mask(document: dict) -> Image.Image | None:
    """A mask as an L picture of its size, 255 inside; none where it makes no sense."""
    try:
        height, width = (int(v) for v in document["size"])
        counts = [int(n) for n in document["counts"]]
    except (KeyError, TypeError, ValueError):
        return None
    if not (0 < width and 0 < height and width * height <= MOST_PIXELS and min(counts, default=0) >= 0 and sum(counts) <= width * height):
        return None
    out = Image.new("L", (width, height))
    pen = ImageDraw.Draw(out)
    for x, y, n in spans(counts, height):
        pen.line((x, y, x, y + n - 1), 255)
    return out


def annotated(data: bytes, answer: dict) -> Image.Image:
    """The picture with the answer drawn into it, at most SIDE pixels a side. Boxes are scaled from the size that the answer names."""
    image = opened(data)
    image.thumbnail((SIDE, SIDE))
    if max(image.size) < LEAST:
        image = ImageOps.contain(image, (LEAST, LEAST), Image.Resampling.BICUBIC)
    size = answer.get("image") or {}
    across = image.width / (size.get("width") or image.width)
    down = image.height / (size.get("height") or image.height)
    for segment in answer.get("segments") or []:
        shape = mask(segment.get("mask") or {})
        if shape is not None:
            tint = Image.new("RGB", image.size, colour(int(segment.get("index", 0)))[0])
            image = Image.composite(Image.blend(image, tint, 0.5), image, shape.resize(image.size, Image.Resampling.NEAREST))
    pen = ImageDraw.Draw(image)
    # Lines and letters keep their size on the screen, where the picture is fitted to the column: they grow with the picture.
    line = max(2, round(max(image.size) / 200))
    font = ImageFont.load_default(max(11, round(max(image.size) / 32)))
    for d in reversed(answer.get("detections") or []):  # the best one on top
        box = d.get("box") or {}
        x1, y1, x2, y2 = (float(box.get(k, 0)) * s for k, s in (("x1", across), ("y1", down), ("x2", across), ("y2", down)))
        if not (x1 <= x2 and y1 <= y2):
            continue
        fill, ink = colour(int(d.get("index", 0)))
        pen.rectangle((x1, y1, x2, y2), outline=fill, width=line)
        text = f"{d.get('label', '')} {float(d.get('score') or 0):.2f}"
        wide, tall = pen.textbbox((0, 0), text, font=font)[2:]
        left = max(0, min(x1, image.width - wide - 8))
        top = y1 - tall - 6 if y1 - tall - 6 >= 0 else min(y1, image.height - tall - 6)
        pen.rectangle((left, top, left + wide + 8, top + tall + 6), fill=fill)
        pen.text((left + 4, top + 2), text, fill=ink, font=font)
    return image
