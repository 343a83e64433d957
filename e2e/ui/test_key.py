"""A gateway that wants a key: the page asks for it, sends it with everything, and keeps it for the tab alone."""

import json
import re
import subprocess
import urllib.request

import pytest
from playwright.sync_api import expect

from drawn import draw
from keyproxy import KeyProxy
from looks import picture, until
from processes import clean_environment
from test_jobs import hand_in, state
from test_snippets import command, copied

KEY = "tgk_Zm9yIHRlc3RzIG9ubHk-_.~"


@pytest.fixture
def locked(gateway, troubles):
    """The shared gateway behind a key."""
    troubles.allow("status of 401")
    proxy = KeyProxy(gateway.url, KEY)
    yield proxy
    proxy.close()


def dialog(page):
    return page.get_by_role("dialog", name="A key is needed")


def give(page, key=KEY):
    dialog(page).get_by_label("Key", exact=True).fill(key)
    dialog(page).get_by_role("button", name="Use this key").click()


def asked(proxy, pattern):
    return [(path, key) for _, path, key in proxy.seen if re.search(pattern, path)]


def test_the_page_asks_for_a_key_and_sends_it_with_everything(locked, open_page, axe, tmp_path):
    page = open_page(at=locked)
    page.goto("/#try/shapes")
    expect(dialog(page)).to_be_visible()
    field = dialog(page).get_by_label("Key", exact=True)
    expect(field).to_be_focused()
    expect(field).to_have_attribute("type", "password")
    axe(page)
    give(page, "wrong")
    expect(dialog(page).get_by_role("alert")).to_have_text("this key is unknown")
    give(page, "two words")
    expect(dialog(page).get_by_role("alert")).to_contain_text("no spaces")
    give(page)
    expect(dialog(page)).to_have_count(0)
    expect(page.locator("#health")).to_contain_text("models ready")

    sample = page.locator('#samples [data-file="circle-1.png"] img')
    expect(sample).to_be_visible()
    expect(sample).to_have_attribute("src", re.compile("^blob:"))
    until(page, "document.querySelector('#samples img').naturalWidth > 0")
    page.set_input_files("#file", picture("shapes", "circle-1.png"))
    expect(page.locator("#result .head strong")).to_have_text("circle")

    locked.seen.clear()
    hand_in(page, "shapes", [draw(tmp_path / f"{i}.png", i) for i in range(3)])
    state(page, "done")
    assert asked(locked, "/events$"), "the events of the job were not asked for"
    page.goto("/#models/shapes")
    expect(page.get_by_role("heading", name="shapes").first).to_be_visible()
    page.goto("/#compare")
    page.goto("/#history")
    expect(page.locator(".history-open").first).to_be_visible()
    late = [(m, p) for m, p, key in locked.seen if p.startswith(("/v1", "/v2")) and key != KEY]
    assert not late, f"without the key: {late}"
    assert KEY not in json.dumps([p for _, p, _ in locked.seen]), "the key is in an address"


def test_the_key_is_kept_in_the_tab_alone(locked, open_page):
    page = open_page(at=locked)
    page.goto("/#try/shapes")
    give(page)
    expect(page.locator("#health")).to_contain_text("models ready")
    assert page.evaluate("Object.values(sessionStorage)") == [KEY]
    assert KEY not in page.evaluate("JSON.stringify([localStorage, document.cookie, location.href, history.state, document.documentElement.outerHTML])")
    page.reload()
    expect(page.locator("#health")).to_contain_text("models ready")
    expect(dialog(page)).to_have_count(0)

    other = page.context.new_page()
    other.goto("/#try/shapes")
    expect(dialog(other)).to_be_visible()
    other.close()

    page.get_by_role("button", name="Key ✓").click()
    dialog(page).get_by_role("button", name="Forget the key").click()
    expect(dialog(page)).to_be_visible()
    assert page.evaluate("sessionStorage.length") == 0


def test_who_gives_no_key_is_told_so_and_may_give_one_later(locked, open_page):
    page = open_page(at=locked)
    page.goto("/#models")
    dialog(page).press("Escape")
    expect(dialog(page)).to_have_count(0)
    expect(page.locator("#problem")).to_contain_text("A key is needed")
    expect(page.get_by_role("button", name="Key", exact=True)).to_be_visible()
    page.locator("#problem").get_by_role("button", name="Give a key").click()
    give(page)
    expect(page.locator("#health")).to_contain_text("models ready")
    expect(page.locator("#problem")).to_be_hidden()


def test_links_of_the_api_open_with_the_key(locked, open_page):
    page = open_page(at=locked)
    page.goto("/#try/shapes")
    give(page)
    expect(page.locator("#health")).to_contain_text("models ready")
    page.get_by_role("link", name="Statistics").click()
    page.wait_for_url(re.compile("^blob:"))
    assert "backends" in json.loads(page.locator("body").inner_text())
    page.go_back()
    page.goto("/docs")
    expect(page.get_by_text("/v1/models/{model}/infer").first).to_be_visible()


def test_a_gateway_without_keys_shows_nothing_of_them(page):
    page.goto("/#try/shapes")
    expect(page.locator("#health")).to_contain_text("models ready")
    expect(page.locator("#key")).to_be_hidden()
    expect(page.locator('#samples [data-file="circle-1.png"] img')).to_have_attribute("src", "/v1/models/shapes/samples/circle-1.png")


@pytest.mark.parametrize("language", ["curl", "Python"])
def test_programs_take_the_key_from_the_environment(locked, open_page, tmp_path, language):
    page = open_page(at=locked)
    page.goto("/#try/shapes")
    give(page)
    page.set_input_files("#file", picture("shapes", "circle-1.png"))
    expect(page.locator("#result .head strong")).to_have_text("circle")
    text = copied(page, language)
    assert "TRITON_GATEWAY_KEY" in text and KEY not in text
    (tmp_path / "circle-1.png").write_bytes(picture("shapes", "circle-1.png").read_bytes())
    done = subprocess.run(
        command(language, text.replace("curl -H", "curl -sH", 1), tmp_path), cwd=tmp_path, env=clean_environment(TRITON_GATEWAY_KEY=KEY), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0 and json.loads(done.stdout)["predictions"][0]["label"] == "circle", done
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(f"{locked.url}/v1/models", timeout=180)
