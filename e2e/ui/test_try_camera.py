"""The try view with the camera: Chromium's own fake one."""

import re

import pytest
from playwright.sync_api import expect

from looks import until


@pytest.fixture
def camera_page(open_page):
    return open_page(permissions=["camera"])


def test_frames_are_answered_one_after_the_other(camera_page, gateway):
    page = camera_page
    under_way, counts = set(), {"most": 0, "frames": 0, "lookups": 0}

    def begun(r):
        if "/infer" in r.url:
            under_way.add(r)
            counts["frames"] += 1
            counts["most"] = max(counts["most"], len(under_way))
        counts["lookups"] += "/results/" in r.url

    page.on("request", begun)
    page.on("requestfinished", lambda r: under_way.discard(r))
    page.on("requestfailed", lambda r: under_way.discard(r))
    page.goto("/#try/shapes")
    page.locator("#camera").click()
    expect(page.locator(".sources-extra")).to_have_text(re.compile(r"^\d+\.\d frames/s, \d+ ms each$"))
    with page.expect_response(lambda r: "/infer" in r.url):
        pass
    with page.expect_response(lambda r: "/infer" in r.url) as last:
        pass
    assert last.value.status == 200 and "no-store" in last.value.url, "frames fill the cache"
    expect(page.locator("#result .bars li").first).to_be_visible()
    assert page.locator("#said").inner_text() == "", "each frame is read out"
    assert counts["most"] == 1, "a frame was sent while another one was under way"
    assert counts["lookups"] == 0, "a frame was asked for by its digest"
    page.locator("#camera").click()
    expect(page.locator("#camera")).to_have_text("Camera")
    expect(page.locator("#said")).not_to_be_empty()
    expect(page.locator("#canvas")).to_be_visible()


def test_the_camera_is_off_after_the_view_is_left(camera_page):
    page = camera_page
    page.add_init_script(
        "const was = MediaDevices.prototype.getUserMedia;"
        "MediaDevices.prototype.getUserMedia = async function (...a) { globalThis.stream = await was.apply(this, a); return stream; };"
    )
    page.goto("/#try/shapes")
    page.locator("#camera").click()
    expect(page.locator(".sources-extra")).to_contain_text("frames/s")
    assert page.evaluate("stream.getTracks().map((t) => t.readyState)") == ["live"]
    page.get_by_role("link", name="History").click()
    until(page, "stream.getTracks().every((t) => t.readyState === 'ended')")


def test_no_camera_is_said_in_words(open_page):
    page = open_page()
    page.add_init_script("MediaDevices.prototype.getUserMedia = async () => { throw new DOMException('no', 'NotAllowedError'); };")
    page.goto("/#try/shapes")
    page.locator("#camera").click()
    expect(page.locator("#problem")).to_contain_text("The browser does not allow the camera here.")
    page.evaluate("() => { MediaDevices.prototype.getUserMedia = async () => { throw new DOMException('no', 'NotFoundError'); }; }")
    page.locator("#camera").click()
    expect(page.locator("#problem")).to_contain_text("There is no camera. Connect one, or pick a picture.")
    page.locator("#samples button").first.click()
    expect(page.locator("#result .head strong")).not_to_be_empty()
