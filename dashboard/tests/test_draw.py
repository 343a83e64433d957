"""What is drawn, at which pixels, and what is refused before it is decoded."""

import io
import random
import struct
import zlib

import pytest
from PIL import Image

import draw


def encoded(image: Image.Image, kind: str = "PNG", **how) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **how)
    return out.getvalue()


def box(x1, y1, x2, y2, index=0, label="a"):
    return {"label": label, "index": index, "score": 0.5, "box": {"x1": x1, "y1": y1, "x2": x2, "y2": y2}}


def rgb(colour: str) -> tuple[int, int, int]:
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def test_boxes_are_at_their_pixels():
    data = encoded(Image.new("RGB", (800, 600), "white"))
    got = draw.annotated(data, {"image": {"width": 800, "height": 600}, "detections": [box(100, 200, 300, 400, index=1)]})
    assert got.size == (800, 600)
    for at in ((100, 300), (300, 300), (200, 400), (200, 200)):
        assert got.getpixel(at) == rgb(draw.COLOURS[1]), at
    assert got.getpixel((200, 300)) == (255, 255, 255) and got.getpixel((350, 300)) == (255, 255, 255)
    assert got.getpixel((103, 190)) == rgb(draw.COLOURS[1])  # the label stands on the box


@pytest.mark.parametrize("size, shown", [((160, 80), (640, 320)), ((2560, 1280), (1280, 640))])
def test_boxes_follow_the_size_that_is_shown(size, shown):
    got = draw.annotated(encoded(Image.new("RGB", size, "white")), {"image": {"width": size[0], "height": size[1]}, "detections": [box(size[0] / 2, size[1] / 2, size[0] * 0.75, size[1] * 0.75)]})
    assert got.size == shown and got.getpixel((shown[0] // 2, shown[1] * 5 // 8)) == rgb(draw.COLOURS[0])


def test_a_picture_on_its_side_is_shown_as_a_person_sees_it():
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(Image.new("RGB", (700, 900)), "JPEG", exif=exif)
    assert draw.annotated(data, {"image": {"width": 900, "height": 700}, "detections": [box(0, 0, 900, 700)]}).size == (900, 700)


def test_masks():
    # 3 high, 4 wide, column by column: 2 empty, 3 inside (the last of column 0 and two of column 1), 7 empty
    shape = draw.mask({"size": [3, 4], "counts": [2, 3, 7]})
    assert [shape.getpixel(p) for p in ((0, 2), (1, 0), (1, 1), (0, 1), (1, 2), (2, 0))] == [255, 255, 255, 0, 0, 0]
    data = encoded(Image.new("RGB", (640, 640), "white"))
    got = draw.annotated(data, {"segments": [{"index": 2, "mask": {"size": [2, 2], "counts": [0, 2, 2]}}]})
    assert got.getpixel((600, 300)) == (255, 255, 255) and got.getpixel((100, 300))[0] < 140


@pytest.mark.parametrize("odd", [{}, {"size": [1]}, {"size": [2, 2], "counts": [9]}, {"size": [2, 2], "counts": [-1]}, {"size": [10**6, 10**6], "counts": []}, {"size": ["x", 1], "counts": []}, {"size": [0, 4], "counts": []}])
def test_masks_that_make_no_sense_are_left_out(odd):
    assert draw.mask(odd) is None


def test_boxes_that_make_no_sense_are_left_out():
    data = encoded(Image.new("RGB", (640, 640), "white"))
    got = draw.annotated(data, {"detections": [box(50, 50, 10, 10), box(float("nan"), 0, 1, 1), {"label": "x"}]})
    assert got.getpixel((30, 30)) == (255, 255, 255)


def png_header(width: int, height: int) -> bytes:
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "data, words",
    [(b"", "no JPEG"), (b"text", "no JPEG"), (encoded(Image.new("RGB", (9, 9)), "GIF"), "no JPEG"), (encoded(Image.new("RGB", (99, 99)))[:60], "cannot be shown"), (png_header(8000, 8000), "64 megapixels is more|more than 50 megapixels"), (png_header(60000, 60000), "cannot be shown")],
)
def test_hostile_pictures_are_refused_in_words(data, words):
    with pytest.raises(draw.Unreadable, match=words):
        draw.annotated(data, {})


def test_any_bytes_are_drawn_or_refused():
    rng = random.Random(3)
    seeds = [encoded(Image.effect_noise((40, 30), 60).convert("RGB"), kind) for kind in ("PNG", "JPEG", "WEBP")]
    for _ in range(300):
        data = bytearray(rng.choice(seeds))
        for _ in range(rng.randrange(1, 6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            draw.annotated(bytes(data[: rng.randrange(1, len(data) + 1)]), {"detections": [box(1, 1, 9, 9)]})
        except draw.Unreadable as e:
            assert str(e)
