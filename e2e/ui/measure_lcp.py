"""Measures how soon the page is there: LCP on loopback with the processor slowed down four times, in fresh browser contexts.

    .cache/ui/bin/python e2e/ui/measure_lcp.py [RUNS]

Prints each run and the median: largest contentful paint, first contentful paint, when the first sample can be clicked (milliseconds since the
navigation began), and what was transferred. It asserts nothing: figures belong to the machine that they were taken on.
"""

import statistics
import sys

from playwright.sync_api import sync_playwright

from conftest import FLAGS
from processes import chromium
from programs import Gateway

SLOWER = 4  # times
OBSERVE = """
globalThis.paints = [];
new PerformanceObserver((list) => { for (const e of list.getEntries()) paints.push([e.startTime, e.element?.tagName || '', e.size]); })
  .observe({ type: 'largest-contentful-paint', buffered: true });
"""
READ = """() => ({
  lcp: paints.at(-1)[0], element: paints.at(-1)[1], fcp: performance.getEntriesByName('first-contentful-paint')[0].startTime,
  bytes: performance.getEntriesByType('resource').filter((e) => /\\.(js|css)$/.test(e.name)).reduce((n, e) => n + e.encodedBodySize, 0),
  files: performance.getEntriesByType('resource').filter((e) => /\\.(js|css)$/.test(e.name)).length,
})"""


def once(browser, url: str, slower: int) -> dict:
    context = browser.new_context(viewport={"width": 1180, "height": 900})
    page = context.new_page()
    page.add_init_script(OBSERVE)
    context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": slower})
    page.goto(url)
    page.locator("#samples img").first.wait_for(timeout=120_000)
    usable = page.evaluate("performance.now()")
    page.wait_for_timeout(1000)  # paints are told of late, and a later, larger one counts
    found = page.evaluate(READ)
    context.close()
    return found | {"usable": usable}


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    gateway = Gateway()
    try:
        with sync_playwright() as p:
            browser = p.chromium.launch(executable_path=chromium(), args=FLAGS)
            once(browser, gateway.url, 1)  # the browser itself has to warm up
            found = []
            for _ in range(runs):
                found.append(once(browser, gateway.url, SLOWER))
                print("LCP {lcp:5.0f} ms ({element}), FCP {fcp:5.0f} ms, usable {usable:5.0f} ms, {files} files, {bytes} bytes".format(**found[-1]))
            middle = {k: statistics.median(f[k] for f in found) for k in ("lcp", "fcp", "usable")}
            print("median of {n} at {slower}x slower: LCP {lcp:.0f} ms, FCP {fcp:.0f} ms, usable {usable:.0f} ms".format(n=runs, slower=SLOWER, **middle))
            browser.close()
    finally:
        gateway.close()


if __name__ == "__main__":
    main()
