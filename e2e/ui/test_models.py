"""The view of the models: what is ready, what each does with its input, and what it sees of a picture."""

import io
import json
import re
import shutil
import urllib.request

import pytest
from PIL import Image
from playwright.sync_api import expect

from looks import picture
from programs import REPOSITORY
from test_snippets import reload_until


def preview(gateway, model: str, file, query: str = "") -> Image.Image:
    """What the gateway says that the model sees, asked without the page."""
    request = urllib.request.Request(f"{gateway.url}/v1/models/{model}/preview{query}", file.read_bytes(), {"Content-Type": "application/octet-stream"})
    with urllib.request.urlopen(request, timeout=180) as answer:
        return Image.open(io.BytesIO(answer.read())).convert("RGB")


def test_the_list(page, gateway):
    page.goto("/#models")
    models = gateway.get("/v1/models")["models"]
    rows = page.locator(".models li")
    expect(rows).to_have_count(len(models))
    for m in models:
        row = rows.filter(has=page.get_by_role("link", name=m["name"], exact=True))
        expect(row).to_contain_text(m["task"])
        expect(row).to_contain_text(m["description"])
        expect(row.locator(".badge.good")).to_have_text("ready")
    page.locator("#search").fill("detect")
    expect(rows.locator("visible=true")).to_have_count(1)
    page.locator("#search").fill("no such model")
    expect(page.locator("main")).to_contain_text("No model is called so.")
    page.locator("#search").fill("")
    page.get_by_role("link", name="iris", exact=True).click()
    expect(page.locator(".title .head strong")).to_have_text("iris")
    page.get_by_role("link", name="All models").click()
    expect(rows).to_have_count(len(models))
    rows.filter(has_text="shapes-detector").get_by_role("link", name="Try").click()
    expect(page.locator("#model")).to_have_value("shapes-detector")


def test_what_a_classifier_does(page, gateway):
    page.goto("/#models/shapes")
    steps = page.locator("#preprocess li")
    for words in ("EXIF", "short edge is 72 pixels, with Pillow's bilinear", "64 × 64 pixels in the middle", "multiplied by 1/255", "mean 0.485, 0.456, 0.406", "from -2.118 to 2.64", "FP32 in the layout NCHW"):
        expect(page.locator("#preprocess")).to_contain_text(words)
    expect(steps).to_have_count(6)
    expect(page.locator("#postprocess")).to_contain_text("softmax of the output logits")
    yaml = page.locator("#yaml").inner_text()
    for line in ("task: image-classification", "  resize: {mode: shortest-edge, size: [72, 72], resample: pil-bilinear}", "  crop: {size: [64, 64]}", "  scale: 1/255", "  std: [0.229, 0.224, 0.225]", "labels: [circle, square, triangle, star, cross]"):
        assert line in yaml.splitlines(), f"{line!r} is not in\n{yaml}"
    table = page.get_by_role("region", name="Tensors")
    expect(table).to_contain_text("[batch, 3, 64, 64]")
    expect(table).to_contain_text("logits")
    expect(page.get_by_role("region", name="Versions").locator("tbody tr")).to_have_count(2)
    expect(page.locator("#example pre")).to_contain_text("/v1/models/shapes/infer")
    expect(page.get_by_role("link", name="All as JSON")).to_have_attribute("href", "/v1/models/shapes")


def test_what_other_models_do(page, gateway):
    page.goto("/#models/shapes-detector")
    for words in ("Fitted into 160 × 160 pixels with its shape kept, with OpenCV's linear; the rest is gray 114.", "laid out as yolov8", "0.25 or less", "more than 0.45", "At most 300 boxes"):
        expect(page.get_by_role("region", name="What it does")).to_contain_text(words)
    page.goto("/#models/digits")
    for words in ("Stretched to 8 × 8", "Made gray", "multiplied by 16/255: they reach from 0 to 16", "Its 64 columns become one tensor"):
        expect(page.get_by_role("region", name="What it does")).to_contain_text(words)
    page.goto("/#models/diabetes")
    expect(page.get_by_role("region", name="Columns")).to_contain_text("20 to 250")
    expect(page.get_by_role("region", name="What it does")).to_contain_text("The value of the output value is the answer.")
    expect(page.get_by_role("region", name="What the model sees")).to_have_count(0)


def test_what_is_shown_can_be_put_into_a_task_file(page, gateway):
    """The settings in force, taken from the page as a task.yaml, make the same model."""
    page.goto("/#models/shapes")
    text = page.locator("#yaml").inner_text()
    shutil.copytree(gateway.repository / "shapes", gateway.repository / "again", ignore=shutil.ignore_patterns("task.yaml", "golden"))
    config = gateway.repository / "again" / "config.pbtxt"
    config.write_text(config.read_text().replace('name: "shapes"', 'name: "again"'))
    (gateway.repository / "again" / "task.yaml").write_text(text)
    try:
        reload_until(gateway, lambda names: "again" in names)
        a, b = gateway.get("/v1/models/shapes"), gateway.get("/v1/models/again")
        for part in ("task", "preprocess", "postprocess", "labels", "inputs", "outputs"):
            assert a[part] == b[part], part
    finally:
        shutil.rmtree(gateway.repository / "again")
        reload_until(gateway, lambda names: "again" not in names)


def test_labels_are_found(page, gateway):
    page.goto("/#models/shapes")
    labels = page.locator(".labels li")
    expect(labels).to_have_count(5)
    page.get_by_role("searchbox", name="Search labels").fill("st")
    expect(labels).to_have_text(["3star"])
    page.get_by_role("searchbox", name="Search labels").fill("4")
    expect(labels).to_have_text(["4cross"])


def seen(page) -> Image.Image:
    """The picture that the page shows as what the model sees, in its own pixels."""
    expect(page.locator("#tensor")).to_contain_text("tensor")
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    place = json.loads(page.locator(".after canvas").get_attribute("data-place"))
    shot = Image.open(io.BytesIO(page.locator(".after canvas").screenshot())).convert("RGB")
    side = round(min(shot.size) / place["scale"])
    pixels = Image.new("RGB", (side, side))
    for x in range(side):
        for y in range(side):
            pixels.putpixel((x, y), shot.getpixel((int(place["x"] + (x + 0.5) * place["scale"]), int(place["y"] + (y + 0.5) * place["scale"]))))
    return pixels


def test_what_the_model_sees(page, gateway):
    before = gateway.get("/v2/models/shapes/stats")["model_stats"]
    page.goto("/#models/digits")
    page.locator('#samples [data-file="7-1.jpg"]').click()
    expect(page.locator('#samples [data-file="7-1.jpg"]')).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#tensor")).to_have_text("FP32 NCHW tensor, 1 × 1 × 8 × 8, colours GRAY.")
    expect(page.locator(".after canvas")).to_have_attribute("aria-label", "What the model sees: 8 by 8 pixels")
    want = preview(gateway, "digits", picture("digits", "7-1.jpg"))
    assert want.size == (8, 8)
    got = seen(page)
    worst = max(abs(a - b) for x in range(8) for y in range(8) for a, b in zip(got.getpixel((x, y)), want.getpixel((x, y)), strict=True))
    assert worst <= 2, f"the page shows other pixels than the preview has: {worst} of 255"
    page.goto("/#models/shapes")
    page.set_input_files("#file", picture("shapes", "triangle-rotated.jpg"))
    expect(page.locator("#tensor")).to_have_text("FP32 NCHW tensor, 1 × 3 × 64 × 64, colours RGB.")
    with page.expect_response("**/v1/models/shapes/preview?version=1") as asked:
        page.get_by_label("Version", exact=True).select_option("1")
    assert asked.value.headers["x-model-version"] == "1"
    assert gateway.get("/v2/models/shapes/stats")["model_stats"] == before, "a preview has run the model"


def test_padding_is_seen(page, gateway):
    page.goto("/#models/shapes-detector")
    page.locator('#samples [data-file="five-1.jpg"]').click()
    expect(page.locator("#tensor")).to_contain_text("160 × 160")
    with Image.open(picture("shapes-detector", "five-1.jpg")) as source:
        wide = source.width > source.height
    assert wide
    assert preview(gateway, "shapes-detector", picture("shapes-detector", "five-1.jpg")).getpixel((80, 0)) == (114, 114, 114)
    got = seen(page)
    assert all(abs(c - 114) <= 2 for c in got.getpixel((got.width // 2, 1))), got.getpixel((got.width // 2, 1))


def test_what_is_no_picture_is_said(page, gateway, tmp_path, troubles):
    troubles.allow("status of 4(15|22)")
    page.goto("/#models/shapes")
    expect(page.locator("#tensor")).to_contain_text("64 × 64")
    (tmp_path / "broken.png").write_bytes(picture("shapes", "circle-1.png").read_bytes()[:3000])
    page.set_input_files("#file", tmp_path / "broken.png")
    expect(page.locator("#problem")).to_contain_text("PNG is cut")
    page.locator('#samples [data-file="star-1.jpg"]').click()
    expect(page.locator("#problem")).to_be_hidden()
    expect(page.locator("#tensor")).to_contain_text("64 × 64")


def test_guessed_settings_and_reasons(page, gateway, troubles):
    """A model without task.yaml is served with warnings; one that is broken says why."""
    shutil.copytree(REPOSITORY / "shapes", gateway.repository / "guessed", ignore=shutil.ignore_patterns("task.yaml", "golden"))
    shutil.copytree(REPOSITORY / "iris", gateway.repository / "broken")
    for name, of in (("guessed", "shapes"), ("broken", "iris")):
        config = gateway.repository / name / "config.pbtxt"
        config.write_text(config.read_text().replace(f'name: "{of}"', f'name: "{name}"'))
    (gateway.repository / "broken" / "1" / "model.onnx").write_bytes(b"no model")
    try:
        reload_until(gateway, lambda names: "guessed" in names)
        told = gateway.get("/v1/models/guessed")["warnings"]
        assert told
        page.goto("/#models/guessed")
        for words in told:
            expect(page.locator(".warnings")).to_contain_text(words)
        page.goto("/#models")
        expect(page.locator(".models li", has_text="guessed").locator(".warning")).to_have_count(len(told))
        broken = page.locator(".models li", has=page.get_by_role("link", name="broken", exact=True))
        expect(broken.locator(".badge.bad")).to_have_text("not ready")
        expect(broken.locator(".wrong")).not_to_be_empty()
        expect(broken.get_by_role("link", name="Try")).to_be_hidden()
        page.get_by_role("link", name="broken", exact=True).click()
        expect(page.locator(".title .wrong")).not_to_be_empty()
        expect(page.get_by_role("link", name="Try it")).to_have_count(0)
        expect(page.get_by_role("region", name="Versions")).to_contain_text(re.compile("unavailable"))
    finally:
        shutil.rmtree(gateway.repository / "guessed")
        shutil.rmtree(gateway.repository / "broken")
        reload_until(gateway, lambda names: "guessed" not in names)


def test_a_model_that_is_not_there(page, gateway, troubles):
    troubles.allow("status of 404 .*/v1/models/nobody")
    page.goto("/#models/nobody")
    expect(page.locator("#problem")).to_contain_text("nobody")
    expect(page.locator(".models li").first).to_be_visible()


@pytest.mark.parametrize(("scheme", "hash"), [("light", "models"), ("dark", "models"), ("light", "models/shapes"), ("dark", "models/digits"), ("light", "models/iris")])
def test_nothing_is_in_the_way_of_anybody(open_page, axe, scheme, hash):
    page = open_page(color_scheme=scheme)
    page.goto(f"/#{hash}")
    expect(page.locator(".card").first).to_be_visible()
    if hash in ("models/shapes", "models/digits"):
        expect(page.locator("#tensor")).to_contain_text("tensor")
    axe(page)


def test_a_phone_is_wide_enough(open_page):
    page = open_page(viewport={"width": 360, "height": 740})
    for hash, there in (("models", ".models li"), ("models/shapes-detector", "#yaml"), ("models/digits", "#yaml")):
        page.goto(f"/#{hash}")
        expect(page.locator(there).first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, hash
