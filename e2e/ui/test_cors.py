"""Pages of other origins in a real browser: one that the gateway allows, and one that it does not."""

import base64
import urllib.request
from http.server import BaseHTTPRequestHandler

import pytest

from local import Local
from looks import picture


class Site(Local):
    """An empty page on an origin of its own."""

    def __init__(self):
        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_) -> None:
                pass

            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(b"<!doctype html><title>elsewhere</title><link rel=icon href=data:,>")

        super().__init__(Handler)


@pytest.fixture
def site(troubles):
    troubles.allow("foreign request: ")
    s = Site()
    yield s
    s.close()


INFER = """async ([url, data]) => {
  const body = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  const response = await fetch(url, { method: 'POST', headers: { 'Content-Type': 'image/png', Authorization: 'Bearer abc' }, body });
  const document = await response.json();
  let entry;
  while (!(entry = performance.getEntriesByName(url).at(-1))) await new Promise((next) => setTimeout(next, 20));
  return { status: response.status, headers: Object.fromEntries(response.headers), document, stages: entry.serverTiming.map((t) => t.name) };
}"""

REFUSED = """async ([url, init]) => { try { return (await fetch(url, init)).status; } catch (e) { return e.name; } }"""


def requests(gateway, method: str) -> dict[str, int]:
    """How many requests of a method the gateway has answered, by status."""
    found = {}
    with urllib.request.urlopen(f"http://{gateway.admin}/metrics", timeout=180) as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith("gateway_http_request_duration_seconds_count") and f'method="{method}"' in line:
                code = line.split('code="')[1].split('"')[0]
                found[code] = found.get(code, 0) + int(float(line.rsplit(" ", 1)[1]))
    return found


def test_a_page_that_is_allowed(serve, site, open_page, troubles):
    troubles.allow("status of 404")
    gateway = serve(f"GATEWAY_CORS__ORIGINS={site.url}")
    page = open_page(at=site)
    page.goto("/")
    data = base64.b64encode(picture("shapes", "circle-1.png").read_bytes()).decode()
    for path in ("/v1/models/shapes/infer", "/v1/models/shapes/infer?cache=no-cache"):
        got = page.evaluate(INFER, [gateway.url + path, data])
        assert got["status"] == 200 and got["document"]["predictions"][0]["label"] == "circle"
        assert {"cache-status", "server-timing", "x-request-id", "x-model-version", "x-route", "etag"} <= set(got["headers"]), got["headers"]
        assert "total" in got["stages"], "Timing-Allow-Origin is missing"
    again = page.evaluate(INFER, [gateway.url + "/v1/models/shapes/infer", data])
    assert again["headers"]["cache-status"].startswith("triton-gateway; hit")
    assert requests(gateway, "OPTIONS") == {"204": 2}, "a preflight is not kept"  # one for each address
    missing = page.evaluate("async (url) => { const r = await fetch(url); return [r.status, (await r.json()).code]; }", gateway.url + "/v1/models/none")
    assert missing == [404, "model_not_found"], "the page cannot read what went wrong"
    tensors = page.evaluate("async (url) => (await (await fetch(url, { headers: { 'X-API-Key': 'abc' } })).json()).name", gateway.url + "/v2/models/iris")
    assert tensors == "iris"


def test_a_page_that_is_not_allowed(serve, site, open_page, troubles):
    troubles.allow("blocked by CORS policy|ERR_FAILED|ERR_BLOCKED_BY_RESPONSE|status of 40[35]")
    gateway = serve("GATEWAY_CORS__ORIGINS=https://app.example.com")
    page = open_page(at=site)
    page.goto("/")
    infer = gateway.url + "/v1/models/iris/infer"
    row = '{"row":[5.1,3.5,1.4,0.2]}'
    assert page.evaluate(REFUSED, [gateway.url + "/v1/models", {}]) == "TypeError"
    assert page.evaluate(REFUSED, [infer, {"method": "POST", "headers": {"Content-Type": "application/json"}, "body": row}]) == "TypeError"
    assert page.evaluate(REFUSED, [gateway.url + "/v1/cache", {"method": "DELETE"}]) == "TypeError"
    # What a browser sends without asking, the gateway refuses.
    for mode in ("cors", "no-cors"):
        page.evaluate(REFUSED, [infer, {"method": "POST", "mode": mode, "headers": {"Content-Type": "text/plain"}, "body": row}])
        page.evaluate(REFUSED, [f"http://{gateway.admin}/v1/reload", {"method": "POST", "mode": mode}])
    assert requests(gateway, "POST") == {"403": 4}, "something was done for a foreign page"
    assert requests(gateway, "OPTIONS") == {"403": 2}
    # Nor is it shown or framed.
    assert page.evaluate("(url) => new Promise((done) => { const i = new Image(); i.onload = () => done('shown'); i.onerror = () => done('not shown'); i.src = url; })",
                         gateway.url + "/v1/models/shapes/samples/circle-1.png") == "not shown"
