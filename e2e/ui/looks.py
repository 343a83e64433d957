"""What the tests of the try view look at: goldens, colors of classes, pixels of the drawn picture."""

import colorsys
import io
import json
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

from programs import REPOSITORY


def golden(model: str, file: str, version: str = "1") -> dict:
    """What the model is known to answer for one of its pictures."""
    document = json.loads((REPOSITORY / model / "golden" / "expected.json").read_text())["files"][file]
    return document | document["versions"][version]


def picture(model: str, file: str) -> Path:
    """The path of a model's picture."""
    return REPOSITORY / model / "golden" / file


def color_of(index: int) -> tuple[int, int, int]:
    """The color that the page gives to a class; see gateway/web/draw.js."""
    hue = int(index * 137.508 + 212 + 0.5) % 360
    light = 0.44 if hue > 205 or hue < 20 else 0.52
    return tuple(round(255 * c) for c in colorsys.hls_to_rgb(hue / 360, light, 0.78))


def near(pixel: tuple[int, ...], color: tuple[int, ...], by: int = 40) -> bool:
    """Says whether two colors are alike."""
    return all(abs(a - b) <= by for a, b in zip(pixel[:3], color[:3], strict=True))


def drawn(page: Page) -> tuple[Image.Image, dict]:
    """A screenshot of the canvas, and where the picture lies on it: {x, y, scale} in its pixels."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    place = json.loads(page.locator("#canvas").get_attribute("data-place"))
    return Image.open(io.BytesIO(page.locator("#canvas").screenshot())).convert("RGB"), place


def has_line(image: Image.Image, x: float, y: float, color: tuple[int, ...], across: str, by: int = 2) -> bool:
    """Says whether a line of the color passes within `by` pixels of a point, looking across it ('x' or 'y')."""
    for d in range(-by, by + 1):
        px, py = (round(x) + d, round(y)) if across == "x" else (round(x), round(y) + d)
        if 0 <= px < image.width and 0 <= py < image.height and near(image.getpixel((px, py)), color):
            return True
    return False


def sides(box: dict, place: dict) -> list[tuple[float, float, str]]:
    """A point on each side of a box, off its middle and off its label, with the direction across the side."""
    x1, y1, x2, y2 = (place[a] + box[k] * place["scale"] for k, a in (("x1", "x"), ("y1", "y"), ("x2", "x"), ("y2", "y")))
    low, right = y1 + (y2 - y1) * 0.8, x1 + (x2 - x1) * 0.9
    return [(x1, low, "x"), (x2, low, "x"), (right, y1, "y"), (right, y2, "y")]


def ask(page: Page, model: str, file: str) -> None:
    """Opens the try view with a model and gives it one of its samples."""
    page.goto(f"/#try/{model}")
    page.locator(f'#samples [data-file="{file}"]').click()


def slide(page: Page, name: str, value: float | int) -> None:
    """Moves a slider, as a hand does: with events."""
    page.locator(f"#options input[name={name}]").evaluate("(e, v) => { e.value = v; e.dispatchEvent(new Event('input', { bubbles: true })); }", str(value))


def until(page: Page, expression: str) -> None:
    """Waits until a JavaScript expression is true; it may await. Playwright's own waiting needs eval, which the page forbids."""
    page.evaluate(f"async () => {{ while (!({expression})) await new Promise((next) => setTimeout(next, 50)); }}")
