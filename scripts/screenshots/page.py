"""Takes the pictures of the page that the README and the guides show: docs/page.png and docs/page-*.png, of a real gateway in Chromium.

Run it by `make screenshots`; a name as an argument, such as `jobs`, takes that picture alone.
"""

import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "e2e" / "ui"))

from playwright.sync_api import Page, expect, sync_playwright  # noqa: E402

from conftest import FLAGS  # noqa: E402
from small import save  # noqa: E402
from processes import chromium  # noqa: E402
from programs import Gateway  # noqa: E402

DESK = {"viewport": {"width": 1180, "height": 820}, "device_scale_factor": 1.5}
HIGH = DESK | {"viewport": {"width": 1180, "height": 1240}}
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "color_scheme": "dark"}


def look(page: Page, gateway: Gateway) -> None:
    page.goto("/#try/shapes-detector")
    page.locator('#samples [data-file="five-1.jpg"]').click()
    expect(page.locator("#result .bars li")).to_have_count(5)
    expect(page.locator("#timing")).to_be_visible()


def compare(page: Page, gateway: Gateway) -> None:
    page.goto("/#compare/shapes@1/shapes@2")
    page.locator('#samples [data-file="triangle-rotated.jpg"]').click()
    expect(page.locator("#times tbody th").first).to_be_visible()


def jobs(page: Page, gateway: Gateway) -> None:
    folder = gateway.folder / "photos"
    folder.mkdir(exist_ok=True)
    for model in ("shapes-detector", "shapes"):
        for path in gateway.samples(model):
            shutil.copy(path, folder / path.name)
    (folder / "holiday.png").write_text("a text")
    page.goto("/#jobs")
    page.get_by_label("Model", exact=True).first.select_option("shapes-detector")
    page.locator("input[webkitdirectory]").set_input_files(folder)
    page.get_by_role("button", name="Hand in").click()
    expect(page.locator(".job-title .badge")).to_have_text(re.compile("done"))
    page.wait_for_function("[...document.querySelectorAll('.tile img')].slice(0, 12).every((i) => i.complete)")


def models(page: Page, gateway: Gateway) -> None:
    page.goto("/#models/shapes-detector")
    expect(page.locator(".title .head strong")).to_have_text("shapes-detector")
    page.wait_for_load_state("networkidle")


SHOTS = {"page": (look, DESK), "page-compare": (compare, HIGH), "page-jobs": (jobs, DESK), "page-models": (models, DESK), "page-dark-phone": (look, PHONE)}


def main() -> None:
    wanted = sys.argv[1:] or list(SHOTS)
    gateway = Gateway()
    try:
        with sync_playwright() as p:
            browser = p.chromium.launch(executable_path=chromium(), args=FLAGS)
            expect.set_options(timeout=60_000)
            for name in wanted:
                name = name if name in SHOTS else f"page-{name}"
                arrange, options = SHOTS[name]
                page = browser.new_context(base_url=gateway.url, reduced_motion="reduce", **options).new_page()
                page.set_default_timeout(60_000)
                arrange(page, gateway)
                page.evaluate("document.activeElement.blur()")
                page.mouse.move(0, 0)
                page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
                save(page.screenshot(animations="disabled"), ROOT / "docs" / f"{name}.png")
                page.context.close()
            browser.close()
    finally:
        gateway.close()


if __name__ == "__main__":
    main()
