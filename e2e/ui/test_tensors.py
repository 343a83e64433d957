"""The form for models that take tensors: the example, what is wrong with the text in words, and the answer."""

import json

import pytest
from playwright.sync_api import expect

from test_snippets import raw  # noqa: F401 (a fixture)


@pytest.fixture
def form(page, raw):  # noqa: F811
    page.goto(f"/#try/{raw}")
    expect(page.locator("#tensors textarea")).to_be_visible()
    return page.locator("#tensors")


def test_the_example_is_asked_at_once(page, form):
    body = json.loads(form.locator("textarea").input_value())
    assert body == {"inputs": [{"name": "input", "datatype": "FP32", "shape": [1, 4], "data": [0, 0, 0, 0]}]}
    expect(form.locator(".hint")).to_have_text("input: FP32 [1, 4]")
    expect(page.locator("#result .head strong")).to_have_text("1 tensor")
    expect(page.locator("#result")).to_contain_text("probabilities · FP32 [1, 3]")


def test_numbers_are_filled_in(page, form):
    with page.expect_response(lambda r: "[1,1,1,1]" in (r.request.post_data or "")):
        form.get_by_role("button", name="Ones").click()
    assert json.loads(form.locator("textarea").input_value())["inputs"][0]["data"] == [1, 1, 1, 1]
    with page.expect_response(lambda r: r.url.endswith("/v1/models/plain/infer")) as answer:
        form.get_by_role("button", name="Random").click()
    sent = json.loads(answer.value.request.post_data)["inputs"][0]["data"]
    assert sent == json.loads(form.locator("textarea").input_value())["inputs"][0]["data"] and all(-1 <= x <= 1 for x in sent)
    form.get_by_role("button", name="Example").click()
    assert json.loads(form.locator("textarea").input_value())["inputs"][0]["data"] == [0, 0, 0, 0]


INPUT = {"name": "input", "datatype": "FP32", "shape": [1, 4], "data": [1, 2, 3, 4]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it ends too early"),
        ('{"inputs": [{"name": "a', "it ends too early"),
        ('{"inputs": []} more', "in line 1, “m”"),
        ('{\n  "inputs": [\n    nonsense\n  ]\n}', "in line 3"),
        ("[]", 'needs "inputs"'),
        ('{"inputs": []}', 'needs "inputs"'),
        ('{"inputs": [null]}', 'inputs[0] needs "name"'),
        (json.dumps({"inputs": [INPUT | {"shape": "4"}]}), 'needs "name", "datatype" and "shape"'),
        (json.dumps({"inputs": [INPUT | {"shape": [1, -1]}]}), "whole numbers"),
        (json.dumps({"inputs": [INPUT | {"shape": [2, 4]}]}), "has 4 values; the shape [2, 4] needs 8"),
        (json.dumps({"inputs": [{k: v for k, v in INPUT.items() if k != "data"}]}), 'has no "data". It needs 4 values'),
    ],
)
def test_what_is_wrong_is_said_and_not_sent(page, form, text, said):
    expect(page.locator("#result .head strong")).to_have_text("1 tensor")
    asked = []
    page.on("request", lambda r: asked.append(r.url) if "/infer" in r.url else None)
    form.locator("textarea").fill(text)
    expect(form.locator(".hint")).to_contain_text(said)
    expect(form.locator("textarea")).to_have_attribute("aria-invalid", "true")
    form.locator("textarea").fill(json.dumps({"inputs": [INPUT]}))
    expect(form.locator("textarea")).to_have_attribute("aria-invalid", "false")
    expect(page.locator("pre.snippet")).to_contain_text("[1,2,3,4]")
    assert len(asked) == 1, asked


def test_what_the_model_refuses_is_said(page, form, troubles):
    troubles.allow("status of 4")
    form.locator("textarea").fill(json.dumps({"inputs": [INPUT | {"name": "nobody"}]}))
    expect(page.locator("#problem")).to_contain_text("nobody")
    expect(form.locator("textarea")).to_have_attribute("aria-invalid", "true")
    form.locator("textarea").fill(json.dumps({"inputs": [INPUT]}))
    expect(page.locator("#problem")).to_be_hidden()
    expect(page.locator("#result .head strong")).to_have_text("1 tensor")


def test_tidying_up_changes_no_value(page, form):
    body = {"inputs": [INPUT | {"shape": [2, 4], "data": [[1, 2.5, -3, 4e-7], [1e20, 0, -0.5, 7]]}]}
    form.locator("textarea").fill(json.dumps(body, separators=(",", ":")))
    form.get_by_role("button", name="Tidy up").click()
    text = form.locator("textarea").input_value()
    assert json.loads(text) == body and len(text.splitlines()) == 10


def test_nothing_is_in_the_way_of_anybody(form, page, axe):
    expect(page.locator("pre.snippet")).not_to_be_empty()
    axe(page)
