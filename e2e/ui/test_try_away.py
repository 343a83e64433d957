"""The page while the gateway or its Triton is away, and afterwards, without a reload."""

import pytest
from playwright.sync_api import expect

from looks import ask, picture


def headline(page):
    return page.locator("#result .head strong")


@pytest.mark.slow
def test_a_killed_triton_is_said_and_its_return_noticed(open_page, triton, troubles):
    troubles.allow(r"status of 50\d")
    page = open_page(at=triton.gateway)
    ask(page, "shapes", "circle-1.png")
    expect(headline(page)).to_have_text("circle")
    page.evaluate("globalThis.notReloaded = true")
    triton.kill()
    page.set_input_files("#file", picture("shapes", "triangle-1.png"))
    expect(page.locator("#problem")).to_be_visible()
    expect(page.locator("#problem")).to_contain_text("This page goes on by itself.")
    expect(page.locator("#health")).to_have_text("not ready")
    page.set_input_files("#file", picture("shapes", "circle-1.png"))
    expect(headline(page)).to_have_text("circle")  # the cache knows it
    expect(page.locator("#result")).to_contain_text("nothing uploaded")
    page.set_input_files("#file", picture("shapes", "triangle-1.png"))
    expect(page.locator("#problem")).to_contain_text("This page goes on by itself.")
    triton.start()
    expect(headline(page)).to_have_text("triangle")
    expect(page.locator("#problem")).to_be_hidden()
    expect(page.locator("#health")).to_contain_text("models ready")
    assert page.evaluate("notReloaded")


@pytest.mark.slow
def test_a_gateway_that_is_away_comes_back(open_page, serve, troubles):
    troubles.allow("ERR_CONNECTION|ERR_EMPTY|ERR_SOCKET|status of 503")
    gateway = serve()
    page = open_page(at=gateway)
    ask(page, "shapes", "circle-1.png")
    expect(headline(page)).to_have_text("circle")
    page.evaluate("globalThis.notReloaded = true")
    gateway.process.kill()
    page.set_input_files("#file", picture("shapes", "square-1.png"))
    expect(page.locator("#problem")).to_contain_text(f"The gateway at {gateway.url.removeprefix('http://')} does not answer.")
    expect(page.locator("#health")).to_have_text("not reachable")
    gateway.restart()
    page.get_by_role("button", name="Try now").click()
    expect(headline(page)).to_have_text("square")
    expect(page.locator("#problem")).to_be_hidden()
    assert page.evaluate("notReloaded")


def test_a_page_that_was_opened_too_early_fills_itself(open_page, gateway, troubles):
    troubles.allow("status of 503|ERR_FAILED")
    page = open_page()
    away = {"yes": True}
    page.route("**/v1/**", lambda route: route.abort() if away["yes"] else route.continue_())
    page.goto("/#try/shapes")
    expect(page.locator("#problem")).to_contain_text("does not answer")
    away["yes"] = False
    page.get_by_role("button", name="Try now").click()
    expect(page.locator("#samples img").first).to_be_visible()
    expect(page.locator("#model")).to_have_value("shapes")
    expect(page.locator("#problem")).to_be_hidden()


def test_a_gateway_of_another_release_is_said(open_page, gateway, troubles):
    troubles.allow("status of 404|Failed to fetch dynamically")
    page = open_page()
    page.route("**/views/history.js", lambda route: route.fulfill(status=404, content_type="application/problem+json", body="{}"))
    page.goto("/#try/shapes")
    page.get_by_role("link", name="History").click()
    expect(page.locator("#problem")).to_contain_text("The gateway has been updated since this page was opened. Reload it.")
    expect(page.get_by_role("button", name="Reload")).to_be_visible()
