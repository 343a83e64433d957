"""The running app in Chromium: what AppTest cannot see, from the upload of a file to what the browser fetches."""

from collections.abc import Iterator

import pytest
from browser import PATIENCE, Dashboard, browser, opened
from conftest import real, samples
from playwright.sync_api import Browser, expect
from processes import chromium
from programs import Gateway

expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    real(chromium)
    with browser() as b:
        yield b


@pytest.fixture(scope="module")
def own() -> Iterator[Gateway]:
    """A gateway of these tests' own, which may be killed."""
    g = real(Gateway)
    yield g
    g.close()


@pytest.fixture(scope="module")
def dashboard(own, chrome) -> Iterator[Dashboard]:
    d = Dashboard(own.url)
    yield d
    d.close()


def test_upload_to_label_and_back_after_a_crash(chrome, own, dashboard):
    page, troubles = opened(chrome, dashboard.url)
    page.get_by_role("combobox", name="Model").click()
    page.get_by_role("option", name="shapes", exact=True).click()
    page.get_by_role("radio", name="Upload").click()
    page.locator("input[type=file]").set_input_files(samples("shapes") / "star-1.jpg")
    label = page.get_by_text("star, 98.7%")
    expect(label).to_be_visible()
    expect(page.get_by_role("img", name="star-1.jpg: star")).to_be_visible()
    # The gateway crashes: the page stays, says so, and keeps the file; when it is back, the picture is answered without a reload.
    own.process.kill()
    said = page.get_by_text("Nobody answers at").first
    expect(said).to_be_visible()
    expect(page.get_by_text("star-1.jpg").first).to_be_visible()
    own._start()
    expect(label).to_be_visible()
    expect(said).to_be_hidden()
    assert not troubles


def test_every_page_by_the_menu(chrome, dashboard):
    page, troubles = opened(chrome, dashboard.url)
    for name in ("Compare", "Batch and jobs", "Models", "Traffic", "Performance", "Caching experiment", "Playground"):
        page.get_by_role("link", name=name).click()
        expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()
    assert page.get_by_test_id("stException").count() == 0 and not troubles


def test_the_camera_is_asked(chrome, own, dashboard):
    page, troubles = opened(chrome, dashboard.url, permissions=["camera"])
    page.get_by_role("radio", name="Camera").click()
    # A photo that is taken before the camera's first frame is none.
    page.wait_for_function("() => [...document.querySelectorAll('video')].some(v => v.readyState >= 2 && v.videoWidth > 0 && v.currentTime > 0)")
    page.get_by_role("button", name="Take Photo").click()
    expect(page.get_by_role("img", name="camera.jpg:")).to_be_visible()
    assert not troubles
