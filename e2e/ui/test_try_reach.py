"""The try view for everybody: axe, keyboard, phone, dark, less motion; and pictures with masks."""

import base64
import io
import json
import re

import pytest
from PIL import Image
from playwright.sync_api import expect

from looks import ask, color_of, drawn, near


def headline(page):
    return page.locator("#result .head strong")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1180, 360])
def test_axe_finds_nothing_serious(open_page, axe, scheme, width):
    page = open_page(color_scheme=scheme, viewport={"width": width, "height": 800})
    page.goto("/#try/shapes-detector")
    expect(page.locator("#samples img").first).to_be_visible()
    axe(page)
    page.locator('#samples [data-file="five-1.jpg"]').click()
    expect(page.locator("#result .rows li")).to_have_count(5)
    expect(page.locator("#snippets pre")).not_to_be_empty()
    page.get_by_text("Raw answer").click()
    axe(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page is wider than the screen"
    page.locator("#all").click()
    expect(page.locator("#result")).to_contain_text("Found in all pictures")
    axe(page)
    page.goto("/#try/iris")
    expect(page.locator("#row input").first).to_be_visible()
    expect(headline(page)).to_have_text(re.compile("setosa|versicolor|virginica"))  # and not what was there before
    axe(page)
    page.goto("/#try/no-such")
    expect(page.locator("#problem")).to_be_visible()
    axe(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page is wider than the screen"


def test_everything_by_keyboard(page):
    page.goto("/#try/shapes-detector")
    expect(page.locator("#samples img").first).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.locator("#skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#view")).to_be_focused()
    seen = []
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.id || document.activeElement.dataset.file || document.activeElement.name"))
        if seen[-1] == "five-1.jpg":
            break
    assert {"model", "file", "pick", "camera", "five-1.jpg"} <= set(seen), seen
    page.keyboard.press("Enter")
    expect(page.locator("#result .rows li")).to_have_count(5)
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.name") == "confidence":
            break
    before = page.locator("#options output").first.inner_text()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#options output").first).not_to_have_text(before)
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none", "the focus is not to be seen"


def test_less_motion_is_respected(open_page):
    page = open_page(reduced_motion="reduce")
    ask(page, "shapes", "circle-1.png")
    expect(headline(page)).to_have_text("circle")
    assert page.locator(".bars .fill").first.evaluate("e => getComputedStyle(e).transitionDuration") in ("0s", "0.01ms", "1e-05s")


def test_the_answer_is_read_out(page):
    ask(page, "shapes-detector", "five-1.jpg")
    expect(page.locator("#said[aria-live=polite]")).to_contain_text("5 objects")
    expect(page.locator("#canvas")).to_have_attribute("aria-label", "Picture with 5 found: circle, cross, square, star, triangle")


WIDTH, HEIGHT = 40, 30
HALF = WIDTH * HEIGHT // 2


def mask(kind: str):
    """The right half of a picture of 40 x 30, as run lengths down the columns or as a PNG."""
    if kind == "runs":
        return {"size": [HEIGHT, WIDTH], "counts": [HALF, HALF]}
    image = Image.new("L", (WIDTH, HEIGHT))
    image.paste(255, (WIDTH // 2, 0, WIDTH, HEIGHT))
    data = io.BytesIO()
    image.save(data, "PNG")
    return base64.b64encode(data.getvalue()).decode()


@pytest.mark.parametrize("kind", ["runs", "png"])
def test_masks_are_drawn_and_light_up(page, gateway, tmp_path, kind):
    document = {"id": "x", "model": "shapes", "version": "1", "task": "image-segmentation", "image": {"width": WIDTH, "height": HEIGHT}, "from_cache": False,
                "segments": [{"label": "sky", "index": 3, "area": HALF, "mask": mask(kind)}]}  # fmt: skip
    page.route("**/v1/models/shapes/results/*", lambda route: route.fulfill(json=document, headers={"Cache-Status": "triton-gateway; hit; detail=memory", "Server-Timing": "total;dur=0.1"}))
    Image.new("RGB", (WIDTH, HEIGHT), (255, 255, 255)).save(tmp_path / "white.png")
    page.goto("/#try/shapes")
    page.set_input_files("#file", tmp_path / "white.png")
    expect(headline(page)).to_have_text("1 segment")
    expect(page.locator("#result .rows li")).to_contain_text("50.0 %")
    page.mouse.move(2, 2)
    image, place = drawn(page)

    def pixel(x: float, y: float):
        return image.getpixel((round(place["x"] + x * place["scale"]), round(place["y"] + y * place["scale"])))

    tint = tuple(round(255 + (c - 255) * 128 / 255) for c in color_of(3))
    assert near(pixel(19.5, 20), (255, 255, 255), 2) and near(pixel(20.5, 20), tint, 4), f"the mask does not begin in the middle: {pixel(19.5, 20)} {pixel(20.5, 20)}"
    page.locator("#canvas").hover(position={"x": place["x"] + 30 * place["scale"], "y": place["y"] + 5 * place["scale"]})
    expect(page.locator("#result .rows li")).to_have_class("lit")
    image, place = drawn(page)
    assert near(pixel(25, 20), tuple(round(255 + (c - 255) * 190 / 255) for c in color_of(3)), 4), "a segment under the pointer does not stand out"
    page.locator("#canvas").hover(position={"x": place["x"] + 5 * place["scale"], "y": place["y"] + 5 * place["scale"]})
    expect(page.locator("#result .lit")).to_have_count(0)
    assert json.loads(page.locator("#canvas").get_attribute("data-place"))["scale"] > 5
