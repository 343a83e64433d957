"""Pictures that tests make: each different, so that no cache knows it."""

import random
from pathlib import Path

from PIL import Image, ImageDraw


def draw(path: Path, seed: int, side: int = 96) -> Path:
    """A circle on a ground, both by chance."""
    chance = random.Random(seed)
    picture = Image.new("RGB", (side, side), tuple(chance.randrange(256) for _ in range(3)))
    at, radius = chance.randrange(side // 3, side // 2), chance.randrange(side // 5, side // 3)
    ImageDraw.Draw(picture).ellipse((at - radius, at - radius, at + radius, at + radius), fill=tuple(chance.randrange(256) for _ in range(3)))
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)
    return path
