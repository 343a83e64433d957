"""The fixtures themselves: what they find must fail a test."""

import re

import pytest
from playwright.sync_api import expect

from processes import Missing, installed


def test_the_page_opens_without_trouble(page, gateway, troubles):
    page.goto("/")
    expect(page.get_by_role("banner")).to_contain_text("triton-gateway")
    assert gateway.stats()["backends"], "no backends in the statistics"
    assert troubles.left() == []


def test_trouble_is_found(page, troubles):
    page.goto("/")
    with page.expect_console_message(lambda m: "provoked 1" in m.text):
        page.evaluate("console.error('provoked 1')")
    with page.expect_event("pageerror"):
        page.evaluate("setTimeout(() => { throw new Error('provoked 2') })")
    with page.expect_console_message(lambda m: "Content Security Policy" in m.text):
        page.evaluate("fetch('http://127.0.0.1:9/provoked3').catch(() => {})")
    page.goto("about:blank")
    with page.expect_event("request"):
        page.evaluate("fetch('http://127.0.0.1:9/provoked4').catch(() => {})")
    for want in ("console: provoked 1", "exception: .*provoked 2", "console: .*Content Security Policy", "foreign request: .*provoked4"):
        assert any(re.search(want, t) for t in troubles.left()), f"{want} is not among {troubles.all}"
    troubles.allow("provoked|127.0.0.1:9/")
    assert troubles.left() == []


def test_a_miss_of_the_digest_is_no_trouble(page, gateway, troubles):
    page.goto("/")
    status = page.evaluate("path => fetch(path, {headers: {Prefer: 'miss=no-content'}}).then(r => r.status)", "/v1/models/shapes/results/" + "0" * 64)
    assert status == 204 and troubles.left() == [], troubles.all
    with page.expect_console_message(lambda m: "404" in m.text):
        page.evaluate("path => fetch(path).then(r => r.status)", "/v1/models/none")
    assert len(troubles.left()) == 1, troubles.all
    troubles.allow("/v1/models/none")


def test_axe_finds_a_button_without_a_name(page, axe):
    page.goto("/")
    page.evaluate("document.body.append(document.createElement('button'))")
    with pytest.raises(AssertionError, match="button-name"):
        axe(page)


def test_missing_parts(monkeypatch, tmp_path):
    monkeypatch.delenv("TRITON_GATEWAY_PARTS", raising=False)
    assert installed("a folder", tmp_path) == tmp_path
    with pytest.raises(Missing, match="make build parts"):
        installed("nothing", tmp_path / "nothing")
    monkeypatch.setenv("TRITON_GATEWAY_PARTS", "off")
    with pytest.raises(Missing, match="off"):
        installed("a folder", tmp_path)


def test_a_real_triton_answers(triton, models):
    before = triton.inferences("shapes")
    answer = triton.gateway.infer("shapes", models / "shapes" / "golden" / "circle-1.png")
    assert answer["predictions"][0]["label"] == "circle"
    assert triton.inferences("shapes") == before + 1
