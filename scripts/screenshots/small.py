"""Pictures of screens for the README: small files, the same look each time."""

import io
from pathlib import Path

from PIL import Image

MOST = 200_000  # bytes of a file


def save(shot: bytes, path: Path) -> None:
    """Writes a screenshot with as many colours as fit into MOST bytes; fails where 32 are too many."""
    picture = Image.open(io.BytesIO(shot)).convert("RGB")
    for colors in (256, 128, 64, 32):
        small = io.BytesIO()
        picture.quantize(colors, Image.Quantize.MAXCOVERAGE, kmeans=4, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
        if small.tell() <= MOST:
            path.write_bytes(small.getvalue())
            print(f"{path.name}: {picture.width} x {picture.height}, {colors} colours, {small.tell() / 1000:.0f} kB")
            return
    raise SystemExit(f"{path}: more than {MOST} bytes with 32 colours; show less of the page")
