"""The running dashboard, and Chromium to look at it with."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, sync_playwright
from processes import ROOT, Process, chromium, clean_environment, free_ports

PATIENCE = 120_000  # milliseconds for anything on a busy machine
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
]  # fmt: skip


class Dashboard:
    """`streamlit run app.py` on a free port, as `make dashboard` starts it."""

    def __init__(self, gateway: str):
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
        env = clean_environment(GATEWAY_URL=gateway, PYTHONDONTWRITEBYTECODE="1")
        self.process = Process(command, lambda line: self.url in line, env, ROOT / "dashboard")

    def close(self) -> None:
        self.process.stop()


@contextmanager
def browser() -> Iterator[Browser]:
    with sync_playwright() as p:
        b = p.chromium.launch(executable_path=chromium(), args=FLAGS, timeout=PATIENCE)
        yield b
        b.close()


def opened(b: Browser, url: str, **options) -> tuple[Page, list[str]]:
    """A page that is loaded, and the list of what goes wrong in it: foreign requests and exceptions, now and later."""
    troubles: list[str] = []
    context = b.new_context(**{"viewport": {"width": 1280, "height": 900}} | options)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    own = (url + "/", url.replace("http", "ws", 1) + "/", "data:", "blob:")
    page.on("request", lambda r: None if r.url.startswith(own) else troubles.append(f"foreign request: {r.url}"))
    page.on("websocket", lambda w: None if w.url.startswith(own) else troubles.append(f"foreign connection: {w.url}"))
    page.on("pageerror", lambda e: troubles.append(f"exception: {e}"))
    page.goto(url, timeout=PATIENCE)
    page.get_by_role("heading", level=1).wait_for()
    return page, troubles
