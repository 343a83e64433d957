"""Routes and graphs on the page: what each is, where it leads, who has answered, what became of a graph's nodes."""

import hashlib
import json
import re
import time
import urllib.request

import pytest
from playwright.sync_api import expect

from looks import picture
from processes import ROOT, scratch

ADMIN, CALLER = "tgk_b3BlcmF0b3Igb2YgdGhlIHRlc3Rz", "tgk_Y2FsbGVyIG9mIHRoZSB0ZXN0cw"
SETTINGS = """
auth: {{keys_file: {folder}/keys.yaml}}
graphs: {{find-and-name: {root}/graphs/find-and-name.yaml, gated: {folder}/gated.yaml, pair: {folder}/pair.yaml}}
routes:
  shapes-auto:
    candidates: [{{model: shapes, weight: 100}}]
    rules: [{{when: {{pixels_to: 40000}}, use: {{model: shapes-int8}}}}]
    fallback: [{{model: shapes-int8}}]
  shapes-live:
    candidates: [{{model: shapes, version: 1, weight: 1}}, {{model: shapes, version: 2, weight: 0}}]
    sticky: user
    canary: {{model: shapes, version: 2, steps: [5, 100], every: 1h}}
  shapes-ab:
    candidates: [{{model: shapes, version: 1, weight: 3}}, {{model: shapes-int8, weight: 1}}]
    sticky: content
    shadow: {{model: shapes, version: 2, percent: 100}}
  shapes-broken:
    candidates: [{{model: shaeps, weight: 1}}]
"""
GATED = """
nodes:
  - {name: find, model: shapes-detector, from: input}
  - name: gate
    from: find
    switch: {cases: [{when: {label: circle, count_under: 1}, stop: true}], else: {run: cut}}
  - {name: cut, crop: {labels: [circle]}, from: find}
  - {name: kind, model: shapes, version: "1", from: cut}
"""
PAIR = """
nodes:
  - {name: quick, model: shapes, from: input}
  - {name: late-one, model: shapes-slow, from: input, timeout: 1ms}
  - {name: both, vote: {method: mean, quorum: 1}, from: [quick, late-one]}
"""
# What a gateway says of a canary that went back and of a shadow that differs, as api/openapi.json has it.
BACK = {
    "route": "shapes-live", "state": "back", "model": "shapes", "version": "2", "step": 2, "steps": 5, "share": 0, "rule": "errors", "reason": "12.5 % of its calls fail, 0.2 % of the control's",
    "control": "shapes/1", "since": "2026-01-02T03:04:05Z", "evidence": {"errors": 1.31, "slower": -0.5},
    "answers": {"canary": {"answers": 63, "failures": 8}, "control": {"answers": 1190, "failures": 2}, "compared": {"inputs": 31, "otherwise": 4}},
    "history": [{"version": 3, "at": "2026-01-02T03:04:05Z", "action": "canary", "state": "back", "step": 2, "share": 0, "rule": "errors", "reason": "12.5 % of its calls fail", "by": "canary"}],
}  # fmt: skip


def disagreement():
    return {
        "at": "2026-01-02T03:04:05Z", "primary": "shapes/1", "shadow": "shapes/2", "task": "image-classification", "distance": 0.91, "figures": {"top1": 0},
        "input": {"kind": "image", "sha256": "ab" * 32, "width": 96, "height": 96},
        "answers": {"primary": {"predictions": [{"label": "circle", "index": 0, "score": 0.9}]}, "shadow": {"predictions": [{"label": "star", "index": 3, "score": 0.8}]}},
    }  # fmt: skip


@pytest.fixture(scope="module")
def traffic():
    """A gateway that wants a key, with routes and graphs of every kind."""
    from conftest import real
    from programs import Gateway

    folder = scratch("routes")
    key = "  - {{id: {}, sha256: {}, tenant: a, scopes: [{}]}}\n".format
    digest = [hashlib.sha256(k.encode()).hexdigest() for k in (ADMIN, CALLER)]
    (folder / "keys.yaml").write_text("keys:\n" + key("operator", digest[0], "infer, jobs, admin") + key("caller", digest[1], "infer, jobs"))
    (folder / "gated.yaml").write_text(GATED)
    (folder / "pair.yaml").write_text(PAIR)
    (folder / "gateway.yaml").write_text(SETTINGS.format(folder=folder, root=ROOT))
    g = real(lambda: Gateway("--config", str(folder / "gateway.yaml")))
    yield g
    g.close()
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()


def call(gateway, path, body=None, key=ADMIN, method=None):
    """An answer as JSON, asked without the page; None where it is empty."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/octet-stream"}
    with urllib.request.urlopen(urllib.request.Request(gateway.url + path, body, headers, method=method), timeout=60) as answer:
        return json.loads(answer.read() or "null")


def compare(gateway):
    """Has the shadow of shapes-ab compared once; one that is dropped because the machine has too much to do is asked again."""
    file = picture("shapes", "star-2.png").read_bytes()
    for _ in range(20):
        call(gateway, "/v1/models/shapes-ab/infer?cache=no-cache", file)
        until = time.monotonic() + 10
        while time.monotonic() < until:
            if any(p["outcomes"].get("compared") for p in call(gateway, "/v1/routes/shapes-ab/shadow")["pairs"]):
                return
            time.sleep(0.1)
    pytest.fail("the shadow was never compared")


@pytest.fixture
def routed(open_page, traffic, troubles):
    """routed(key, **options) is a page on that gateway, whose visitor has given the key."""
    troubles.allow("status of 401")

    def open_it(key=ADMIN, **options):
        page = open_page(at=traffic, **options)
        page.add_init_script(f"sessionStorage.setItem('triton-gateway:key', {json.dumps(key)})")
        return page

    return open_it


def card(page, name):
    return page.get_by_role("region", name=name, exact=True)


def test_the_list_says_what_each_is(routed):
    page = routed(CALLER)
    page.goto("/#models")
    row = lambda name: page.locator(".models li", has=page.get_by_role("link", name=name, exact=True))  # noqa: E731
    expect(page.locator(".head strong")).to_have_text(re.compile(r"^\d+ models, 4 routes, 3 graphs$"))
    expect(row("shapes-auto").locator(".kind")).to_have_text("route")
    expect(row("gated").locator(".kind")).to_have_text("graph")
    expect(row("shapes").locator(".kind")).to_have_count(0)
    expect(row("shapes-auto").locator(".leads")).to_contain_text("Leads to 100 % shapes 2 · 1 rule")
    expect(row("shapes-ab").locator(".leads")).to_contain_text("75 % shapes 1, 25 % shapes-int8 1 · shadow shapes 2")
    expect(row("shapes-live").locator(".leads")).to_contain_text("canary running at 5 %")
    expect(row("shapes-broken").get_by_text("shaeps is not there")).to_have_count(1)
    expect(row("shapes-ab").get_by_text("2 versions")).to_have_count(0)


def test_a_route_says_who_has_answered(routed):
    page = routed(CALLER)
    page.goto("/#try/shapes-auto")
    expect(page.locator("#about .kind")).to_have_text("route")
    expect(page.get_by_label("Version", exact=True)).to_be_hidden()
    page.set_input_files("#file", picture("shapes", "star-2.png"))
    expect(page.locator("#result .answered")).to_have_text("shapes-int8 1")
    expect(page.locator("#result .chosen")).to_have_text("The route chose shapes-int8, version 1, by rule 1.")
    page.goto("/#history")
    expect(page.locator(".history-list")).to_contain_text("shapes-auto → shapes-int8 1 · star-2.png")
    page.goto("/#models/shapes-auto")
    expect(card(page, "What the model sees")).to_be_visible()
    expect(page.get_by_label("Version", exact=True)).to_be_hidden()
    page.goto("/#compare/shapes-auto/shapes@1")
    expect(page.locator(".side.right select").nth(1)).to_have_value("1")
    expect(page.locator(".side.left select").nth(1)).to_be_hidden()


def test_where_a_route_leads(routed, traffic):
    page = routed(CALLER)
    page.goto("/#models/shapes-auto")
    rows = page.locator("#candidates tbody tr")
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text("100 %")
    expect(rows.first).to_contain_text("ready")
    leads = card(page, "Where it leads")
    expect(leads).to_contain_text("pixels up to 40,000: shapes-int8")
    expect(leads).to_contain_text("As it is written in gateway.yaml")
    for title in ("Tensors", "Versions", "What it does"):
        expect(card(page, title)).to_have_count(0)
    spec = {"candidates": [{"model": "shapes", "weight": 1}, {"model": "shapes-int8", "weight": 1}], "sticky": "header:X-User"}
    put = urllib.request.Request(f"{traffic.url}/v1/routes/shapes-put", json.dumps(spec).encode(), {"Authorization": f"Bearer {ADMIN}", "Content-Type": "application/json"}, method="PUT")
    urllib.request.urlopen(put, timeout=60).close()
    try:
        page.goto("/#models/shapes-put")
        expect(page.locator("#candidates tbody tr").nth(1)).to_contain_text("50 %")
        expect(page.locator("#changed")).to_contain_text("Version 1, changed by operator on ")
        expect(leads).to_contain_text("Sticky by header X-User")
    finally:
        call(traffic, "/v1/routes/shapes-put", method="DELETE")
    page.goto("/#models/shapes-broken")
    expect(page.locator("#candidates")).to_contain_text("not ready")
    expect(page.locator("main").get_by_text("shaeps is not there")).to_have_count(1)


def test_a_canary_and_a_shadow(routed, traffic, axe):
    compare(traffic)
    page = routed()
    page.route("**/v1/routes/shapes-ab/disagreements", lambda route: route.fulfill(json={"route": "shapes-ab", "disagreements": [disagreement()]}))
    page.goto("/#models/shapes-ab")
    shadow = card(page, "Shadow")
    expect(shadow).to_contain_text("shapes 2 is asked too for 100 % of the requests")
    expect(shadow.locator("#shadow-figures tbody")).to_contain_text(re.compile(r"and shapes/2\s*[1-9]"))
    expect(shadow.locator(".worst")).to_contain_text("shapes/1: circle. shapes/2: star.")
    expect(shadow.get_by_role("link", name="Compare the two")).to_have_attribute("href", "#compare/shapes%401/shapes%402")
    axe(page)
    page.goto("/#models/shapes-live")
    canary = card(page, "Canary")
    expect(page.locator("#canary-state")).to_have_text("running")
    expect(canary).to_contain_text(re.compile(r"Step\s*1 of 2"))
    expect(canary).to_contain_text(re.compile(r"Compared with\s*shapes/1"))
    page.route("**/v1/routes/shapes-live/canary", lambda route: route.fulfill(json=BACK))
    page.get_by_role("button", name="Look again").click()
    for words in (r"Its answers\s*63, 8 failed", r"Compared inputs\s*31, 4 answered otherwise", r"errors\s*1\.31"):
        expect(canary).to_contain_text(re.compile(words))


def test_a_caller_sees_no_figures_of_operators(routed, troubles):
    troubles.allow("status of 403")
    page = routed(CALLER)
    page.goto("/#models/shapes-live")
    expect(page.locator("#canary-state")).to_have_text("running")
    expect(card(page, "Canary").locator(".why")).to_contain_text("this key has no scope admin")


def test_the_nodes_of_a_graph(routed, axe):
    page = routed(CALLER)
    page.goto("/#models/gated")
    rows = card(page, "Nodes (4)").locator("tbody tr")
    for i, words in enumerate((["find", "model", "shapes-detector", "the input"], ["gate", "switch", "find"], ["cut", "crop", "find; if gate says so"], ["kind", "answer", "model", "shapes 1", "cut"])):
        for word in words:
            expect(rows.nth(i)).to_contain_text(word)
    for title in ("Tensors", "Versions", "What it does", "What the model sees"):
        expect(card(page, title)).to_have_count(0)
    axe(page)


def test_what_became_of_the_nodes(routed, axe):
    page = routed(CALLER)
    page.goto("/#try/gated")
    expect(page.get_by_label("Version", exact=True)).to_be_hidden()
    page.set_input_files("#file", picture("shapes-detector", "star-small-1.png"))
    expect(page.locator("#result .stopped")).to_have_text("Ended early by the switch gate: what it read is the answer.")
    expect(page.locator("#result .skipped-nodes")).to_have_text("Did not run: cut, kind.")
    page.goto("/#try/pair")
    expect(page.locator("#result .failed-nodes li")).to_contain_text("late-one failed: ")
    page.locator("#result .nodes summary").click()
    expect(page.locator("#result .nodes li")).to_have_count(3)
    expect(page.locator("#result .nodes li").first).to_contain_text("quick done")
    axe(page)


@pytest.mark.parametrize("width", [390, 1280, 1920])
def test_the_second_answer_can_be_read(routed, width):
    page = routed(viewport={"width": width, "height": 900})
    page.goto("/#try/find-and-name")
    page.set_input_files("#file", picture("shapes-detector", "circle-star-1.png"))
    seconds = page.locator("#result .rows .more")
    expect(seconds).to_have_count(2)
    expect(seconds.first).to_have_text(re.compile(r"^named \w+ · \d+\.\d %$"))
    cut = seconds.evaluate_all("all => all.filter((e) => e.scrollWidth > e.clientWidth || e.scrollHeight > e.clientHeight + 1).length")
    assert cut == 0, "a second answer is cut off"
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.goto("/#models/shapes-ab")
    expect(page.locator("#candidates tbody tr")).to_have_count(2)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_name_that_is_not_there(routed):
    page = routed(CALLER)
    page.goto("/#try/nothere")
    expect(page.locator("#problem")).to_contain_text("There is no model nothere")
    expect(page.locator("#result")).to_contain_text("There is no model “nothere” here.")
    expect(page.locator("#picture")).to_be_hidden()
    expect(page.locator("#model")).to_have_value("")
    page.locator("#model").select_option("shapes")
    expect(page.locator("#problem")).to_be_hidden()
    expect(page.locator("#picture")).to_be_visible()
