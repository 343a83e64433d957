"""The demo's graph in the try view: a detector finds shapes, and a classifier names each from its own part of the picture."""

import json

import pytest
from playwright.sync_api import expect

from looks import picture
from processes import ROOT

GOLDEN = json.loads((ROOT / "graphs" / "golden" / "find-and-name.json").read_text())["files"]


@pytest.fixture(scope="module")
def demo():
    """The demo as `make run` serves it: with the graphs and routes of demo.yaml."""
    from conftest import real
    from programs import Gateway

    g = real(lambda: Gateway("--config", str(ROOT / "demo.yaml"), f"GATEWAY_GRAPHS=find-and-name:{ROOT / 'graphs' / 'find-and-name.yaml'}"))
    yield g
    g.close()


@pytest.mark.parametrize("file", ["circle-star-1.png", "square-triangle-cross-1.png"])
def test_detect_crop_classify(open_page, demo, file):
    page = open_page(at=demo)
    page.goto("/#try/find-and-name")
    page.set_input_files("#file", picture("shapes-detector", file))
    want = GOLDEN[file]["detections"]
    expect(page.locator("#result .head strong")).to_have_text(f"{len(want)} objects")
    assert page.locator("#result .rows li .name").all_inner_texts() == [d["label"] for d in want]
    rows = page.locator("#result .rows li .more").all_inner_texts()
    assert [r.rsplit(" ", 2)[0] for r in rows] == [f"named {d['predictions'][0]['label']} ·" for d in want], rows
    for row, w in zip(rows, want, strict=True):
        assert float(row.split()[-2]) == pytest.approx(w["predictions"][0]["score"] * 100, abs=0.06), row
    expect(page.locator("#canvas")).to_be_visible()


def test_graphs_and_routes_are_listed(open_page, demo):
    page = open_page(at=demo)
    page.goto("/#models")
    for name in ("find-and-name", "shapes-auto", "stories"):
        expect(page.locator("main").get_by_role("link", name=name, exact=True).first).to_be_visible()
