"""Two models, or two versions, side by side on one picture."""

import re
import shutil

import pytest
from playwright.sync_api import expect

from looks import golden, picture
from test_snippets import reload_until


def side(page, which: str):
    return page.locator(f"section.side.{which}")


def verdict(page):
    return page.locator("#verdict .head strong")


def sample(page, file: str) -> None:
    page.locator(f'#samples [data-file="{file}"]').click()


def best(model: str, file: str, version: str) -> tuple[str, float]:
    p = golden(model, file, version)["predictions"][0]
    return p["label"], p["score"]


def test_two_versions_of_a_model_by_themselves(page, gateway):
    page.goto("/#compare")
    expect(side(page, "left").locator("select").nth(0)).to_have_value("shapes")
    expect(side(page, "left").locator("select").nth(1)).to_have_value("1")
    expect(side(page, "right").locator("select").nth(1)).to_have_value("2")
    sample(page, "circle-1.png")
    expect(verdict(page)).to_have_text("Both say circle")
    expect(page.locator("#verdict .badge")).to_have_attribute("data-level", "same")
    for which, version in (("left", "1"), ("right", "2")):
        label, score = best("shapes", "circle-1.png", version)
        expect(side(page, which).locator(".head strong")).to_have_text(label)
        expect(side(page, which).locator(".bars li").first).to_contain_text(f"{score * 100:.1f} %")
        expect(side(page, which).locator(".badges")).to_contain_text(f"version {version}")
    row = page.locator("#scores tbody tr", has_text="circle").locator("td")
    left, right = (best("shapes", "circle-1.png", v)[1] * 100 for v in "12")
    expect(row).to_have_text([f"{left:.1f} %", f"{right:.1f} %", f"+{right - left:.1f}"])
    assert page.title() == "Compare · triton-gateway"


def test_times_stand_side_by_side_and_both_can_be_computed_anew(page, gateway):
    page.goto("/#compare/shapes@1/shapes@2")
    sample(page, "star-2.png")
    expect(verdict(page)).to_have_text("Both say star")
    before = {v: count(gateway, "shapes", v) for v in "12"}
    asked = []
    page.on("request", lambda r: asked.append(r.url) if "/infer" in r.url else None)
    page.get_by_role("button", name="Compute both anew").click()
    model = page.locator("#times tr", has_text="Model").locator(".value")
    expect(model).to_have_text([re.compile(r"ms$|s$")] * 2)
    expect(page.locator("#times tbody th")).to_have_text(["Queue", "Decode", "Preprocess", "Model", "Postprocess", "In the gateway", "Round trip"])
    expect(page.get_by_role("button", name="Compute both anew")).to_have_attribute("aria-disabled", "false")
    assert len(asked) == 2 and all("cache=no-cache" in url for url in asked), asked
    assert {v: count(gateway, "shapes", v) - before[v] for v in "12"} == {"1": 1, "2": 1}
    expect(page.locator("#times thead th")).to_have_text(["Stage", "shapes v1", "shapes v2"])
    page.reload()
    sample(page, "star-2.png")
    expect(page.locator("#figures")).to_contain_text("What came from the cache took no model.")


def count(gateway, model: str, version: str) -> int:
    """How often a version of a model has run, by the statistics of KServe v2."""
    (stats,) = [m for m in gateway.get(f"/v2/models/{model}/versions/{version}/stats")["model_stats"] if m["version"] == version]
    return int(stats["inference_count"])


def test_a_detector_and_a_classifier_with_options_of_their_own(page, gateway):
    page.goto("/#compare/shapes-detector/shapes")
    page.set_input_files("#file", picture("shapes-detector", "star-small-1.png"))
    expect(side(page, "left").locator(".head strong")).to_have_text("1 object")
    right = gateway.infer("shapes", picture("shapes-detector", "star-small-1.png"))["predictions"][0]["label"]
    expect(verdict(page)).to_have_text("star in both" if right == "star" else f"{right} in one only")
    expect(side(page, "left").locator(".options input")).to_have_count(2)
    expect(side(page, "right").locator(".options input")).to_have_count(1)
    side(page, "left").locator("input[name=confidence]").evaluate("e => { e.value = 1; e.dispatchEvent(new Event('input', { bubbles: true })); }")
    expect(side(page, "left").locator(".head strong")).to_have_text("Nothing found")
    expect(verdict(page)).to_have_text(f"{right} in one only")
    expect(page.locator("#verdict .badge")).to_have_attribute("data-level", "different")


def test_the_choice_is_in_the_address(page, gateway):
    page.goto("/#compare/shapes@2/digits")
    expect(side(page, "right").locator("select").nth(0)).to_have_value("digits")
    side(page, "right").locator("select").nth(0).select_option("shapes")
    expect(page).to_have_url(re.compile(r"#compare/shapes(%40|@)2/shapes$"))
    side(page, "right").locator("select").nth(1).select_option("1")
    expect(page).to_have_url(re.compile(r"#compare/shapes(%40|@)2/shapes(%40|@)1$"))
    page.reload()
    expect(side(page, "left").locator("select").nth(1)).to_have_value("2")
    expect(side(page, "right").locator("select").nth(1)).to_have_value("1")
    page.goto("/#compare/nobody/shapes")
    expect(page.locator("#problem")).to_contain_text("nobody cannot be compared")


def test_the_same_part_of_the_picture_is_seen_on_both_sides(page, gateway):
    page.goto("/#compare/shapes@1/shapes@2")
    sample(page, "circle-1.png")
    expect(verdict(page)).to_be_visible()
    side(page, "left").get_by_role("button", name="Zoom in").click()
    scales = "() => [...document.querySelectorAll('.side canvas')].map((c) => JSON.parse(c.dataset.place).scale)"
    page.wait_for_function(f"() => {{ const [a, b] = ({scales})(); return Math.abs(a - b) < 1e-6 && a > 0.8; }}")


def test_one_side_that_fails_leaves_the_other(page, gateway, troubles):
    troubles.allow("status of 5")
    page.route("**/v1/models/digits/**", lambda route: route.fulfill(status=502, json={"title": "Bad Gateway", "status": 502, "code": "upstream_error", "detail": "the model failed", "retryable": True}, content_type="application/problem+json") if "/infer" in route.request.url or "/results/" in route.request.url else route.continue_())  # fmt: skip
    page.goto("/#compare/shapes/digits")
    sample(page, "circle-1.png")
    expect(side(page, "left").locator(".head strong")).to_have_text("circle")
    expect(side(page, "right").get_by_role("alert")).to_contain_text("The model failed.")
    expect(page.locator("#verdict")).to_be_hidden()


def test_what_is_no_picture(page, gateway, tmp_path, troubles):
    troubles.allow("status of 4(15|22)")
    (tmp_path / "broken.png").write_bytes(picture("shapes", "circle-1.png").read_bytes()[:3000])
    page.goto("/#compare")
    page.set_input_files("#file", tmp_path / "broken.png")
    for which in ("left", "right"):
        expect(side(page, which).get_by_role("alert")).to_contain_text("PNG is cut")


BOX = {"x1": 10, "y1": 10, "x2": 50, "y2": 50}
NEAR = {"x1": 12, "y1": 10, "x2": 50, "y2": 50}
FAR = {"x1": 60, "y1": 60, "x2": 90, "y2": 90}


def found(*boxes) -> dict:
    return {"detections": [{"label": label, "index": 0, "score": score, "box": box} for label, score, box in boxes]}


def named(*labels) -> dict:
    return {"predictions": [{"label": label, "index": 0, "score": score} for label, score in labels]}


def area(label: str, pixels: int) -> dict:
    return {"image": {"width": 10, "height": 10}, "segments": [{"label": label, "index": 0, "area": pixels}]}


@pytest.mark.parametrize(
    ("left", "right", "level", "text"),
    [
        (named(("cat", 0.9), ("dog", 0.1)), named(("cat", 0.6), ("dog", 0.4)), "same", "Both say cat"),
        (named(("cat", 0.9)), named(("dog", 0.8)), "different", "cat against dog"),
        (named(), named(("dog", 0.8)), "different", "Only one has a label"),
        (named(), named(), "same", "Neither has a label"),
        (found(("cat", 0.9, BOX)), found(("cat", 0.8, NEAR)), "same", "Both find the same 1 object"),
        (found(("cat", 0.9, BOX)), found(("dog", 0.8, NEAR)), "different", "0 of 1 object agreed"),
        (found(("cat", 0.9, BOX), ("cat", 0.7, FAR)), found(("cat", 0.8, NEAR)), "part", "1 of 2 objects agreed"),
        (found(("cat", 0.9, BOX)), found(("cat", 0.8, FAR)), "different", "0 of 2 objects agreed"),
        (found(("dog", 0.9, BOX), ("cat", 0.8, BOX)), found(("cat", 0.8, BOX), ("dog", 0.9, BOX)), "same", "Both find the same 2 objects"),
        (found(), found(), "same", "Both find nothing"),
        (named(("cat", 0.9)), found(("cat", 0.8, FAR), ("dog", 0.8, BOX)), "same", "cat in both"),
        (found(("dog", 0.8, BOX)), named(("cat", 0.9)), "different", "cat in one only"),
        (named(), found(), "none", "No label to look for"),
        (area("sky", 40), area("sky", 40), "same", "100.0 % of the areas agree"),
        (area("sky", 40), area("sky", 20), "part", "90.0 % of the areas agree"),
        (area("sky", 90), area("sea", 90), "different", "10.0 % of the areas agree"),
        ({"embedding": [1, 0]}, {"embedding": [2, 0]}, "same", "Cosine similarity 1.000"),
        ({"embedding": [1, 0]}, {"embedding": [0, 2]}, "different", "Cosine similarity 0.000"),
        ({"embedding": [1, 0]}, {"embedding": [0, 2, 1]}, "none", "Embeddings of different lengths"),
        (named(("cat", 0.9)), {"embedding": [1]}, "none", "Answers of different kinds"),
    ],
)
def test_what_agreement_is(page, gateway, left, right, level, text):
    page.goto("/#compare")
    said = page.evaluate("async ([a, b]) => (await import(new URL('agree.js', document.querySelector('script[type=module]').src).href)).agreement(a, b)", [left, right])
    assert (said["level"], said["text"]) == (level, text)


def test_how_far_boxes_overlap(page, gateway):
    page.goto("/#compare")
    iou = "async ([a, b]) => (await import(new URL('agree.js', document.querySelector('script[type=module]').src).href)).iou(a, b)"
    assert page.evaluate(iou, [BOX, BOX]) == 1
    assert page.evaluate(iou, [BOX, FAR]) == 0
    assert page.evaluate(iou, [BOX, NEAR]) == pytest.approx(38 / 40)
    assert page.evaluate(iou, [{"x1": 0, "y1": 0, "x2": 2, "y2": 2}, {"x1": 1, "y1": 1, "x2": 3, "y2": 3}]) == pytest.approx(1 / 7)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_in_the_way_of_anybody(open_page, axe, scheme):
    page = open_page(color_scheme=scheme)
    page.goto("/#compare")
    expect(page.locator("#samples button").first).to_be_visible()
    axe(page)
    sample(page, "circle-1.png")
    expect(verdict(page)).to_be_visible()
    axe(page)


def test_a_phone_is_wide_enough(open_page):
    page = open_page(viewport={"width": 360, "height": 740})
    page.goto("/#compare/shapes-detector/shapes")
    page.set_input_files("#file", picture("shapes-detector", "five-1.jpg"))
    expect(verdict(page)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_without_a_model_for_pictures(open_page, serve):
    gateway = serve()
    for name in ("digits", "shapes", "shapes-detector", "shapes-int8", "shapes-slow"):
        shutil.rmtree(gateway.repository / name, ignore_errors=True)
    reload_until(gateway, lambda names: names == ["diabetes", "iris", "stories"])
    page = open_page(gateway)
    page.goto("/#compare")
    expect(page.locator("main")).to_contain_text("No model here takes pictures")
