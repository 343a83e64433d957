"""The try view: where pictures and rows come from, and several at once."""

import base64
import json

import pytest
from playwright.sync_api import expect

from looks import picture

FILES = "[...Array(COUNT).keys()].map((i) => new File([Uint8Array.from(atob(DATA), (c) => c.charCodeAt(0))], `p${i}.png`, { type: 'image/png' }))"


def headline(page):
    return page.locator("#result .head strong")


def data_transfer(file, count: int) -> str:
    """A JavaScript expression for a DataTransfer with pictures."""
    files = FILES.replace("COUNT", str(count)).replace("DATA", json.dumps(base64.b64encode(file.read_bytes()).decode()))
    return f"(() => {{ const d = new DataTransfer(); {files}.forEach((f) => d.items.add(f)); return d; }})()"


@pytest.mark.parametrize("event", ["drop", "paste"])
def test_a_picture_is_dropped_or_pasted(page, event):
    page.goto("/#try/shapes")
    expect(page.locator("#drop")).to_be_visible()
    kind, member = ("DragEvent", "dataTransfer") if event == "drop" else ("ClipboardEvent", "clipboardData")
    page.evaluate(f"document.body.dispatchEvent(new {kind}('{event}', {{ {member}: {data_transfer(picture('shapes', 'circle-1.png'), 1)}, bubbles: true, cancelable: true }}))")
    expect(headline(page)).to_have_text("circle")


def test_what_is_no_picture_is_refused_in_words(page, tmp_path):
    page.goto("/#try/shapes")
    (tmp_path / "notes.txt").write_text("not a picture")
    page.set_input_files("#file", tmp_path / "notes.txt")
    expect(page.locator("#problem")).to_contain_text("notes.txt is no picture. Give JPEG, PNG or WebP.")
    page.get_by_role("button", name="Close this message").click()
    expect(page.locator("#problem")).to_be_hidden()


def test_a_broken_picture_is_explained_by_the_gateway(page, tmp_path, troubles):
    troubles.allow("status of 4(00|15|22) ")
    page.goto("/#try/shapes")
    (tmp_path / "broken.png").write_bytes(picture("shapes", "circle-1.png").read_bytes()[:200])
    page.set_input_files("#file", tmp_path / "broken.png")
    expect(page.locator("#problem")).to_contain_text("invalid_image")
    page.set_input_files("#file", picture("shapes", "circle-1.png"))
    expect(headline(page)).to_have_text("circle")
    expect(page.locator("#problem")).to_be_hidden()


def test_several_pictures_at_once(page, gateway):
    under_way, most = set(), [0]

    def begun(r):
        if "/infer" in r.url or "/results/" in r.url:
            under_way.add(r)
            most[0] = max(most[0], len(under_way))

    page.on("request", begun)
    page.on("response", lambda r: under_way.discard(r.request))  # "requestfinished" comes after the page has gone on
    page.goto("/#try/shapes-detector")
    files = gateway.samples("shapes-detector")
    page.set_input_files("#file", files)
    tiles = page.locator(".grid li button")
    expect(tiles).to_have_count(len(files))
    expect(page.locator("#stage .progress")).to_contain_text(f"{len(files)} of {len(files)}")
    assert 1 <= most[0] <= 4, f"{most[0]} questions at the same time"
    expect(headline(page)).to_have_text(f"{len(files)} pictures")
    five = next(i for i, f in enumerate(files) if f.name == "five-1.jpg")
    expect(tiles.nth(five)).to_contain_text("5 objects")
    tiles.nth(five).click()
    expect(headline(page)).to_have_text("5 objects")
    expect(page.locator("#canvas")).to_be_visible()
    page.get_by_role("button", name=f"Back to all {len(files)}").click()
    expect(tiles.nth(five)).to_be_focused()
    expect(headline(page)).to_have_text(f"{len(files)} pictures")


def test_one_bad_picture_of_several_fails_alone(page, gateway, tmp_path, troubles):
    troubles.allow("status of 4(00|15|22) ")
    page.goto("/#try/shapes")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n no more")
    page.set_input_files("#file", [picture("shapes", "circle-1.png"), tmp_path / "broken.png"])
    tiles = page.locator(".grid li button")
    expect(tiles.nth(0)).to_contain_text("circle")
    expect(tiles.nth(1)).to_have_class("failed")
    expect(page.locator("#result")).to_contain_text("1 failed")


def test_all_samples_at_once(page, gateway):
    page.goto("/#try/shapes")
    n = len(gateway.samples("shapes"))
    page.get_by_role("button", name=f"All {n} samples").click()
    expect(page.locator("#stage .progress")).to_contain_text(f"{n} of {n}")
    expect(page.locator("#result")).to_contain_text("Pictures by label")


def test_a_row_is_asked_about(page, gateway, troubles):
    troubles.allow("status of 422 ")
    page.goto("/#try/iris")
    expect(headline(page)).not_to_be_empty()
    for column, value in {"sepal_length": "5.1", "sepal_width": "3.5", "petal_length": "1.4", "petal_width": "0.2"}.items():
        page.locator(f"#row input[name={column}]").fill(value)
    expect(headline(page)).to_have_text("setosa")
    page.locator("#row input[name=petal_width]").fill("wide")
    expect(page.locator("#row input[name=petal_width]")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#problem")).to_contain_text("petal_width")
    page.locator("#row input[name=petal_width]").fill("2.5")
    expect(page.locator("#problem")).to_be_hidden()
    expect(page.locator("#row input[name=petal_width]")).to_have_attribute("aria-invalid", "false")


def test_a_model_that_takes_both_has_both(page):
    page.goto("/#try/digits")
    page.get_by_role("button", name="Row", exact=True).click()
    expect(headline(page)).not_to_be_empty()
    page.get_by_role("button", name="Picture", exact=True).click()
    page.locator("#samples [data-file='7-1.jpg']").click()
    expect(headline(page)).to_have_text("7")


def test_the_picture_stays_when_the_model_changes(page):
    page.goto("/#try/shapes")
    page.locator("#samples [data-file='circle-1.png']").click()
    expect(headline(page)).to_have_text("circle")
    page.locator("#model").select_option("shapes-detector")
    expect(headline(page)).to_contain_text("object")
    assert page.evaluate("location.hash") == "#try/shapes-detector"
    page.go_back()
    expect(headline(page)).to_have_text("circle")


def test_an_unknown_model_is_said_in_words(page):
    page.goto("/#try/no-such")
    expect(page.locator("#problem")).to_contain_text("There is no model no-such")
    expect(page.locator("#model")).to_be_visible()


def test_a_model_without_pictures_refuses_them_in_words(page):
    page.goto("/#try/iris")
    expect(headline(page)).not_to_be_empty()
    page.evaluate(f"document.body.dispatchEvent(new DragEvent('drop', {{ dataTransfer: {data_transfer(picture('shapes', 'circle-1.png'), 1)}, bubbles: true, cancelable: true }}))")
    expect(page.locator("#problem")).to_contain_text("iris takes no pictures")
    expect(page.locator("#row")).to_be_visible()
