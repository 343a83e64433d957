"""A model that goes on with a text: tokens appear as they come, Stop ends it, and a lost connection loses none of them."""

import json

from playwright.sync_api import expect

from conftest import ROOT

GOLDEN = {t["text"]: t["answer"] for t in json.loads((ROOT / "model_repository" / "stories" / "golden" / "texts.json").read_text())["texts"] if set(t) == {"text", "answer"}}


def write(page, text):
    page.goto("/#try/stories")
    page.get_by_label("Beginning of the text").fill(text)
    page.get_by_role("button", name="Run").click()


def tokens(page):
    return page.locator(".story span")


def test_a_text_appears_token_by_token(page):
    write(page, "one and two are")
    expect(page.locator(".story")).to_have_text("one and two are" + GOLDEN["one and two are"])
    assert tokens(page).all_inner_texts() == [" three", " squares", "."]
    expect(page.locator("#story-note")).to_contain_text("3 tokens in ")
    page.get_by_label("Tokens, at most").fill("1")
    page.get_by_role("button", name="Run").click()
    expect(page.locator(".story")).to_have_text("one and two are three")
    expect(page.locator("#result")).to_contain_text("/v1/models/stories/stream?aggregate=true")


def test_what_is_wrong_is_said(page, troubles):
    troubles.allow("400")
    write(page, "the")
    expect(tokens(page).first).to_be_visible()
    page.get_by_label("Seed").evaluate("e => { e.type = 'text'; e.value = '1e400' }")
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#story-note")).to_have_text("Failed after 0 tokens.")


# Hands on the first two responses of a stream, and then does what then says with the connection.
CUT = """(then) => {
  const real = window.fetch;
  window.asked = [];
  window.fetch = async (path, init) => {
    const response = await real(path, init);
    if (!/stream/.test(path)) return response;
    window.asked.push([init.method || 'GET', path.replace(/[0-9A-Z]{20,}/, 'ID'), init.headers?.get?.('Last-Event-ID') ?? init.headers?.['Last-Event-ID'] ?? '']);
    if (window.asked.length > 1) return response;
    const text = (await response.text()).split('\\n\\n');
    const body = new ReadableStream({
      start(c) {
        c.enqueue(new TextEncoder().encode(text.slice(0, 3).join('\\n\\n') + '\\n\\n'));
        init.signal.addEventListener('abort', () => c.error(init.signal.reason));
      },
      pull(c) { if (then === 'lose') c.error(new TypeError('network error')); },
    });
    return new Response(body, { status: response.status, headers: response.headers });
  };
}"""


def test_a_lost_connection_loses_no_token(page):
    page.goto("/#try/stories")
    page.evaluate(CUT, "lose")
    write(page, "the")
    expect(page.locator(".story")).to_have_text("the" + GOLDEN["the"])
    expect(page.locator("#story-note")).to_contain_text("tokens in")
    asked = page.evaluate("window.asked")
    assert [a[:2] for a in asked] == [["POST", "/v1/models/stories/stream"], ["GET", "/v1/streams/ID"]] and asked[1][2] in ("", "0", "1", "2"), asked


def test_stop_ends_it(page):
    page.goto("/#try/stories")
    page.evaluate(CUT, "wait")
    write(page, "the")
    expect(tokens(page)).to_have_count(2)
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#story-note")).to_contain_text("Stopped. 2 tokens in")
    expect(page.get_by_role("button", name="Stop")).to_be_disabled()
    page.get_by_role("button", name="Run").click()
    expect(page.locator(".story")).to_have_text("the" + GOLDEN["the"])


def test_it_can_be_read_by_all(page, axe):
    write(page, "the")
    expect(tokens(page).first).to_be_visible()
    assert axe(page) == []
    page.set_viewport_size({"width": 360, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
