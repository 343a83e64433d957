"""Fixtures of the tests of the page: a real gateway, a real Chromium, a real Triton, and axe.

gateway   the shared gateway: url, grpc, admin, stats(), get(path), infer(model, file), samples(model), restart()
serve     serve(*settings) starts a gateway of the test's own
triton    a real Triton with a gateway before it: gateway, kill(), start(), inferences(model); it is started again after a test that killed it
page      a page of Chromium; open_page(**options) makes more of them, with Playwright's options of a context
troubles  what goes wrong in the pages: any entry fails the test; troubles.allow(pattern) takes what a test provokes
axe       axe(page) fails on any serious violation of accessibility
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from missing import real
from processes import ROOT, chromium
from programs import Gateway, Triton

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--use-fake-device-for-media-stream",
]  # fmt: skip
PATIENCE = 180_000  # milliseconds for anything on a busy machine
SCREENS = ROOT / ".cache" / "ui-failures"

expect.set_options(timeout=PATIENCE)


class Troubles:
    """Console errors, exceptions and foreign requests of a test's pages."""

    def __init__(self) -> None:
        self.all: list[str] = []
        self._allowed: list[re.Pattern[str]] = []

    def allow(self, pattern: str) -> None:
        """Takes out whatever matches, before and after this call."""
        self._allowed.append(re.compile(pattern))

    def left(self) -> list[str]:
        return [t for t in self.all if not any(p.search(t) for p in self._allowed)]

    def watch(self, page: Page, origin: str) -> None:
        def console(message) -> None:
            if message.type == "error" or "Content Security Policy" in message.text:
                self.all.append(f"console: {message.text} ({message.location.get('url', '')})")

        def request(r) -> None:
            if not r.url.startswith((origin + "/", "blob:" + origin, "data:", "about:")):
                self.all.append(f"foreign request: {r.url}")

        page.on("console", console)
        page.on("pageerror", lambda e: self.all.append(f"exception: {e}"))
        page.on("request", request)


@pytest.fixture(scope="session")
def gateway() -> Iterator[Gateway]:
    g = real(Gateway)
    yield g
    g.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Gateway]]:
    started: list[Gateway] = []

    def start(*settings: str) -> Gateway:
        started.append(real(lambda: Gateway(*settings)))
        return started[-1]

    yield start
    for g in started:
        g.close()


@pytest.fixture(scope="session")
def shared_triton() -> Iterator[Triton]:
    t = real(Triton)
    yield t
    t.close()


@pytest.fixture
def triton(shared_triton: Triton) -> Iterator[Triton]:
    yield shared_triton
    if not shared_triton.process.alive:
        shared_triton.start()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = real(chromium)
    with sync_playwright() as p:
        b = p.chromium.launch(executable_path=path, args=FLAGS, timeout=2 * PATIENCE)
        yield b
        b.close()


@pytest.fixture
def troubles() -> Troubles:
    return Troubles()


@pytest.fixture
def open_page(request, browser: Browser, gateway: Gateway, serve: Callable[..., Gateway], troubles: Troubles) -> Iterator[Callable[..., Page]]:
    # It asks for serve so that pages are closed before their gateways are: one that loads something late would find nobody there.
    pages: list[Page] = []

    def open_one(at: Gateway | None = None, **options) -> Page:
        """A page in a context of its own, not loaded yet; relative addresses are those of the gateway `at`."""
        origin = (at or gateway).url
        context = browser.new_context(**{"viewport": {"width": 1180, "height": 900}, "base_url": origin} | options)
        context.set_default_timeout(PATIENCE)
        context.on("page", lambda p: troubles.watch(p, origin))
        pages.append(context.new_page())
        return pages[-1]

    yield open_one
    failed = getattr(request.node, "failed", False) or bool(troubles.left())
    for number, p in enumerate(pages):
        if failed and not p.is_closed():
            SCREENS.mkdir(parents=True, exist_ok=True)
            path = SCREENS / f"{re.sub(r'[^a-zA-Z0-9_.-]+', '-', request.node.name)}-{number}.png"
            p.screenshot(path=path)
            print(f"the page as it was: {path.relative_to(ROOT)}")
        p.context.close()
    if troubles.left():
        pytest.fail("in the page:\n" + "\n".join(troubles.left()), pytrace=False)


@pytest.fixture
def page(open_page: Callable[..., Page]) -> Page:
    """A page on the shared gateway, 1180 x 900, not loaded yet: page.goto('/#try/shapes')."""
    return open_page()


@pytest.fixture(scope="session")
def axe() -> Callable[[Page], list[dict]]:
    def check(page: Page) -> list[dict]:
        """Fails on violations that axe calls serious or critical, and gives all others."""
        found = Axe().run(page).response["violations"]
        bad = [v for v in found if v["impact"] in ("serious", "critical")]
        told = [f"{v['impact']}: {v['id']}: {v['help']}\n  " + "\n  ".join(n["html"][:200] + " " + n.get("failureSummary", "") for n in v["nodes"][:5]) for v in bad]
        assert not bad, "\n".join(told)
        return found

    return check


@pytest.fixture
def models() -> Path:
    """The folder of the demo models, with pictures in NAME/golden."""
    return ROOT / "model_repository"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    item.failed = getattr(item, "failed", False) or report.failed
    return report
