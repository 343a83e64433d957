"""The try view: one picture, what is drawn on it, what it costs."""

import hashlib
import json

import pytest
from PIL import Image
from playwright.sync_api import expect

from looks import ask, color_of, drawn, golden, has_line, picture, sides, slide, until


def headline(page):
    return page.locator("#result .head strong")


def test_an_upload_gives_a_label(open_page, serve):
    page = open_page(at=serve())  # one whose cache is empty
    page.goto("/#try/shapes")
    page.set_input_files("#file", picture("shapes", "star-1.jpg"))
    expect(headline(page)).to_have_text("star")
    for stage in ("Decode", "Preprocess", "Model", "Postprocess", "In the gateway"):
        expect(page.locator("#timing")).to_contain_text(stage)
    expect(page.locator("#result")).to_contain_text("computed and stored")
    assert page.title() == "Try · triton-gateway"


def test_the_waterfall_is_one(page, gateway):
    ask(page, "shapes", "circle-1.png")
    expect(page.locator(".waterfall li")).not_to_have_count(0)
    bars = page.locator(".waterfall .fill").evaluate_all("all => all.map((e) => [e.className, parseFloat(e.style.marginLeft), parseFloat(e.style.width)])")
    at = 0.0
    for name, left, width in bars[:-1]:
        assert left == pytest.approx(at, abs=0.01), f"{name} begins at {left} %, the stages before it end at {at} %"
        at = left + width
    assert bars[-1][1:] == [0, 100]
    assert at <= 100.01


@pytest.mark.parametrize("ratio", [1, 2])
def test_boxes_are_at_the_right_pixels(open_page, ratio):
    page = open_page(device_scale_factor=ratio)
    ask(page, "shapes-detector", "five-1.jpg")
    want = golden("shapes-detector", "five-1.jpg")["detections"]
    expect(page.locator("#result .rows li")).to_have_count(len(want))
    page.mouse.move(2, 2)
    image, place = drawn(page)
    assert abs(page.locator("#canvas").evaluate("c => c.width") - page.locator("#canvas").bounding_box()["width"] * ratio) <= 1, "the canvas is not as fine as the screen"
    for d in want:
        for x, y, across in sides(d["box"], place):
            assert has_line(image, x, y, color_of(d["index"]), across, 2 * ratio), f"{d['label']}: no line at {x:.0f}, {y:.0f}"
        x1, y2 = place["x"] + d["box"]["x1"] * place["scale"], place["y"] + d["box"]["y2"] * place["scale"]
        inside = (x1 + 12 * ratio, y2 - 12 * ratio)
        assert not has_line(image, *inside, color_of(d["index"]), "x", ratio), f"{d['label']}: its color is inside of its box, at {inside}"
    slide(page, "confidence", 1)
    expect(headline(page)).to_have_text("Nothing found")
    image, place = drawn(page)
    d = want[0]
    assert not any(has_line(image, x, y, color_of(d["index"]), across) for x, y, across in sides(d["box"], place)), "boxes stay when they are no longer answered"


def test_a_slider_costs_no_inference(open_page, triton):
    page = open_page(at=triton.gateway)
    ask(page, "shapes-detector", "five-1.jpg")
    expect(headline(page)).to_have_text("5 objects")
    before = triton.inferences("shapes-detector")
    scores = sorted(d["score"] for d in golden("shapes-detector", "five-1.jpg")["detections"])
    slide(page, "confidence", round((scores[1] + scores[2]) / 2, 2))
    expect(page.locator("#result")).to_contain_text("from cached tensors")
    expect(page.locator("#result")).to_contain_text("No inference")
    expect(headline(page)).to_have_text("3 objects")
    slide(page, "iou", 0.9)
    slide(page, "confidence", 0.99)
    expect(headline(page)).not_to_have_text("3 objects")
    assert triton.inferences("shapes-detector") == before, "a slider ran the model"
    page.locator("#again").click()
    expect(page.locator("#result .badge").first).to_contain_text("computed")
    assert triton.inferences("shapes-detector") == before + 1, "Compute anew did not run the model"


def test_a_known_picture_is_not_uploaded(open_page, gateway):
    file = picture("shapes", "square-1.png")
    gateway.infer("shapes", file)
    page = open_page()
    sent = []
    page.on("request", lambda r: sent.append((r.method, r.url.removeprefix(gateway.url))) if "/v1/models/shapes/" in r.url and "samples" not in r.url else None)
    page.goto("/#try/shapes")
    page.set_input_files("#file", file)
    expect(page.locator("#result")).to_contain_text("Known by its digest: nothing was uploaded.")
    expect(headline(page)).to_have_text("square")
    assert sent == [("GET", f"/v1/models/shapes/results/{hashlib.sha256(file.read_bytes()).hexdigest()}")]


def test_a_digest_is_computed_once(open_page, gateway):
    page = open_page()
    page.add_init_script("const was = crypto.subtle.digest; globalThis.hashed = 0; SubtleCrypto.prototype.digest = function (...a) { hashed += 1; return was.apply(this, a); };")
    ask(page, "shapes-detector", "circle-star-1.png")
    expect(page.locator("#result .rows li")).to_have_count(2)
    for value in (0.5, 1):
        slide(page, "confidence", value)
        expect(page.locator("#options output").first).to_have_text(f"{value:.2f}")
    expect(headline(page)).to_have_text("Nothing found")
    assert page.evaluate("hashed") == 1


def lines(image, d, place) -> bool:
    """Says whether the left side of a box is drawn in its full color."""
    x, y, across = sides(d["box"], place)[0]
    return has_line(image, x, y, color_of(d["index"]), across)


def test_a_row_and_its_box_light_up_together(page):
    ask(page, "shapes-detector", "five-1.jpg")
    rows = page.locator("#result .rows li")
    expect(rows).to_have_count(5)
    want = golden("shapes-detector", "five-1.jpg")["detections"]
    rows.nth(0).hover()
    image, place = drawn(page)
    assert not lines(image, want[1], place), "other boxes do not step back"
    assert lines(image, want[0], place), "the box of the row does not stand out"
    ratio = page.evaluate("devicePixelRatio")
    box = want[2]["box"]
    middle = [(place[a] + (box[f"{a}1"] + box[f"{a}2"]) / 2 * place["scale"]) / ratio for a in "xy"]
    page.locator("#canvas").hover(position={"x": middle[0], "y": middle[1]})
    expect(rows.nth(2)).to_have_class("lit")
    page.mouse.move(2, 2)
    expect(page.locator("#result .lit")).to_have_count(0)
    rows.nth(3).focus()
    image, place = drawn(page)
    assert not lines(image, want[0], place), "a row that is reached by keyboard does not light its box"


def test_the_picture_zooms_and_pans(page):
    ask(page, "shapes-detector", "five-1.jpg")
    expect(page.locator("#result .rows li")).to_have_count(5)
    canvas = page.locator("#canvas")
    _, whole = drawn(page)
    canvas.hover(position={"x": 100, "y": 100})
    page.mouse.wheel(0, -300)
    image, place = drawn(page)
    assert place["scale"] > whole["scale"] * 1.2
    before, after = ((100 - p["x"]) / p["scale"] for p in (whole, place))
    assert after == pytest.approx(before, abs=1.5), "the point under the pointer has moved"
    d = golden("shapes-detector", "five-1.jpg")["detections"][0]
    x, y, across = sides(d["box"], place)[0]
    if 0 <= x < image.width and 0 <= y < image.height:
        assert has_line(image, x, y, color_of(d["index"]), across) or near_edge(x, y, image), "the box is not where the zoomed picture has it"
    page.mouse.down()
    page.mouse.move(400, 500, steps=3)
    page.mouse.up()
    assert drawn(page)[1]["x"] != place["x"], "dragging does not move the picture"
    canvas.focus()
    canvas.press("0")
    assert drawn(page)[1] == whole
    canvas.press("+")
    canvas.press("+")
    zoomed = drawn(page)[1]
    assert zoomed["scale"] == pytest.approx(whole["scale"] * 2.25)
    canvas.press("ArrowRight")
    assert drawn(page)[1]["x"] < zoomed["x"]
    canvas.press("-")
    canvas.press("-")
    assert drawn(page)[1]["scale"] == pytest.approx(whole["scale"])


def near_edge(x, y, image):
    return min(x, y, image.width - x, image.height - y) < 4


def test_the_annotated_picture_is_saved_whole(page, tmp_path):
    ask(page, "shapes-detector", "five-1.jpg")
    expect(page.locator("#result .rows li")).to_have_count(5)
    with page.expect_download() as saved:
        page.locator("#save").click()
    assert saved.value.suggested_filename == "five-1-shapes-detector.png"
    saved.value.save_as(tmp_path / "saved.png")
    image = Image.open(tmp_path / "saved.png").convert("RGB")
    want = golden("shapes-detector", "five-1.jpg")
    assert image.size == (want["width"], want["height"])
    for d in want["detections"]:
        for x, y, across in sides(d["box"], {"x": 0, "y": 0, "scale": 1}):
            assert has_line(image, x, y, color_of(d["index"]), across), f"{d['label']}: no line at {x:.0f}, {y:.0f}"


def test_the_raw_answer_is_the_document(page, gateway):
    ask(page, "shapes", "circle-1.png")
    page.get_by_text("Raw answer").click()
    expect(page.locator("#raw")).to_contain_text('"predictions"')  # it is written when it is opened
    raw = json.loads(page.locator("#raw").inner_text())
    assert raw["model"] == "shapes" and raw["predictions"][0]["label"] == "circle"
    with page.expect_download() as saved:
        page.locator("#save-json").click()
    assert json.loads(saved.value.path().read_text()) == raw


def test_a_version_can_be_chosen(page):
    page.goto("/#try/shapes")
    page.locator("#version").select_option("1")
    page.locator('#samples [data-file="circle-1.png"]').click()
    expect(page.locator("#result")).to_contain_text("version 1")
    page.locator("#version").select_option("2")
    expect(page.locator("#result")).to_contain_text("version 2")


def test_an_answer_opens_again_from_the_history(page):
    ask(page, "shapes-detector", "star-small-1.png")
    expect(headline(page)).to_have_text("1 object")
    slide(page, "confidence", 0.31)
    expect(page.locator("#options output").first).to_have_text("0.31")
    store = "document.querySelector('script[type=module]').src.replace('app.js', 'store.js')"
    until(page, f"(await (await import({store})).list()).some((e) => e.options.confidence === '0.31')")
    page.goto("/#history")
    page.locator(".history-open", has_text="confidence 0.31").click()
    expect(headline(page)).to_have_text("1 object")
    expect(page.locator("#options output").first).to_have_text("0.31")
    assert page.evaluate("location.hash") == "#try/shapes-detector"
