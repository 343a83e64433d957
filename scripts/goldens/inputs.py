"""The pictures: odd sizes, one-pixel edges, and each way of storing pixels. Drawn from seeds; nothing is downloaded."""
import io
import struct
import zlib

import numpy as np
from PIL import Image


def photo(width, height, seed):
    """Noise of all scales with hard edges: what resamplers differ on."""
    random = np.random.default_rng(seed)
    image = np.zeros((height, width, 3))
    step, weight = 2, 1.0
    while step <= max(width, height):
        rows, cols = max(1, step * height // max(width, height)), max(1, step * width // max(width, height))
        small = random.normal(size=(rows, cols, 3))
        ys = np.arange(height) * rows // height
        xs = np.arange(width) * cols // width
        image += weight * small[ys][:, xs]
        step, weight = step * 2, weight * 0.75
    image = (image - image.mean()) / max(image.std(), 1e-9) * 60 + 128
    return np.clip(image, 0, 255).astype(np.uint8)


def saved(image, **options):
    out = io.BytesIO()
    image.save(out, **options)
    return out.getvalue()


def png(array, **options):
    return saved(Image.fromarray(array), format="PNG", optimize=True, **options)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def raw_png(width, height, depth, colour, rows, extra=b""):
    """A PNG of a kind that Pillow does not write; rows are packed bytes."""
    body = b"".join(b"\0" + row for row in rows)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)) + extra
            + chunk(b"IDAT", zlib.compress(body, 9)) + chunk(b"IEND", b""))


def exif(orientation):
    e = Image.Exif()
    e[0x0112] = orientation
    return e


def all():
    files = {}
    for width, height in [(1, 1), (1, 7), (9, 1), (2, 2), (3, 5), (7, 333), (333, 7), (97, 61), (160, 120), (121, 203), (64, 64), (300, 225)]:
        files[f"rgb-{width}x{height}.png"] = png(photo(width, height, width * 1000 + height))
    files["noise-53x47.png"] = png(np.random.default_rng(5).integers(0, 256, (47, 53, 3), dtype=np.uint8))
    edges = np.zeros((40, 60, 3), np.uint8)
    edges[::2, ::3] = 255
    edges[10:20, 10:30] = (255, 0, 0)
    files["edges-60x40.png"] = png(edges)
    colour = photo(45, 37, 7)
    rgb = Image.fromarray(colour)
    gray = np.asarray(rgb.convert("L"))
    files["gray8.png"] = png(gray)
    for depth in (1, 2, 4):
        levels = (gray >> (8 - depth)).astype(np.uint8)
        bits = np.unpackbits(levels[..., None], axis=2)[..., 8 - depth:].reshape(levels.shape[0], -1)
        files[f"gray{depth}.png"] = raw_png(45, 37, depth, 0, [np.packbits(row).tobytes() for row in bits])
    wide = np.random.default_rng(9).integers(0, 65536, (37, 45, 4)).astype(">u2")
    wide[..., :3] = (wide[..., :3] & 255) | (colour.astype(np.uint16) << 8)
    files["gray16.png"] = raw_png(45, 37, 16, 0, [row.tobytes() for row in np.ascontiguousarray(wide[..., 0])])
    files["rgb16.png"] = raw_png(45, 37, 16, 2, [row.tobytes() for row in np.ascontiguousarray(wide[..., :3])])
    files["rgba16.png"] = raw_png(45, 37, 16, 6, [row.tobytes() for row in wide])
    files["la16.png"] = raw_png(45, 37, 16, 4, [row.tobytes() for row in np.ascontiguousarray(wide[..., [0, 3]])])
    alpha = np.random.default_rng(11).integers(0, 256, (37, 45, 1), dtype=np.uint8)
    alpha[5:20, 5:20] = 0
    files["rgba.png"] = png(np.concatenate([colour, alpha], 2))
    files["la.png"] = png(np.concatenate([gray[..., None], alpha], 2))
    palette = rgb.quantize(200)
    files["palette8.png"] = saved(palette, format="PNG")
    files["palette8-trns.png"] = saved(palette, format="PNG", transparency=bytes(range(200)))
    files["palette4.png"] = saved(rgb.quantize(13), format="PNG", bits=4)
    files["palette1.png"] = saved(rgb.quantize(2), format="PNG", bits=1)
    files["rgb-trns.png"] = saved(rgb, format="PNG", transparency=tuple(int(v) for v in colour[3, 3]))
    files["gray-trns.png"] = saved(Image.fromarray(gray), format="PNG", transparency=int(gray[3, 3]))
    files["animated.png"] = saved(rgb, format="PNG", save_all=True, append_images=[Image.fromarray(255 - colour)], duration=100)
    files["interlaced.png"] = interlaced(photo(21, 13, 3))
    for orientation in range(1, 9):
        files[f"exif{orientation}.png"] = png(photo(45, 31, 70), exif=exif(orientation))
        files[f"exif{orientation}.jpg"] = saved(Image.fromarray(photo(67, 43, 71)), format="JPEG", quality=90, exif=exif(orientation))
    lossy(files)
    return files


def lossy(files):
    big = Image.fromarray(photo(101, 67, 21)).resize((203, 135), Image.Resampling.BICUBIC)
    for name, options in {"420": {"subsampling": 2}, "422": {"subsampling": 1}, "444": {"subsampling": 0},
                          "progressive": {"progressive": True}, "restart": {"restart_marker_rows": 2}, "q30": {"quality": 30}}.items():
        files[f"{name}.jpg"] = saved(big, format="JPEG", **{"quality": 88, **options})
    files["gray.jpg"] = saved(big.convert("L"), format="JPEG", quality=88)
    files["cmyk.jpg"] = saved(big.convert("CMYK"), format="JPEG", quality=95)
    files["tiny.jpg"] = saved(big.resize((1, 1)), format="JPEG", quality=88)
    files["narrow.jpg"] = saved(big.resize((5, 260)), format="JPEG", quality=88)
    photo400 = Image.fromarray(photo(160, 120, 31)).resize((640, 480), Image.Resampling.BICUBIC)
    files["vga.jpg"] = saved(photo400, format="JPEG", quality=80)
    files["lossless.webp"] = saved(big, format="WEBP", lossless=True)
    files["lossy.webp"] = saved(big, format="WEBP", quality=80)
    with_alpha = big.convert("RGBA")
    with_alpha.putalpha(big.convert("L"))
    files["alpha-lossless.webp"] = saved(with_alpha, format="WEBP", lossless=True, exact=True)
    files["alpha-lossy.webp"] = saved(with_alpha, format="WEBP", quality=80, exact=True)
    files["exif6-lossless.webp"] = saved(Image.fromarray(photo(45, 31, 70)), format="WEBP", lossless=True, exif=exif(6))


def interlaced(array):
    """Adam7, PNG specification 8.2."""
    height, width, _ = array.shape
    body = b""
    for x0, y0, dx, dy in [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]:
        for row in array[y0::dy, x0::dx]:
            if row.size:
                body += b"\0" + row.tobytes()
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 1))
            + chunk(b"IDAT", zlib.compress(body, 9)) + chunk(b"IEND", b""))
