"""Jobs: hand in a folder, watch, collect; cancel, retry; a connection that breaks."""

import csv
import io
import json
import re
import shutil
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import expect

from cutter import Cutter
from drawn import draw

EVENTS = rb"GET /v1/jobs/\w+/events"


@pytest.fixture
def folder(tmp_path, gateway):
    """A folder of pictures with another inside, a file that is no picture by its name, and one that only seems to be one."""
    root = tmp_path / "photos"
    (root / "more").mkdir(parents=True)
    for i, path in enumerate(gateway.samples("shapes-detector")):
        shutil.copy(path, root / ("more" if i % 2 else ".") / path.name)
    (root / "notes.txt").write_text("not a picture")
    (root / "broken.png").write_text("no picture either")
    return root


def hand_in(page, model, files, **choices):
    """Fills the form in and sends it."""
    page.goto("/#jobs")
    form = page.get_by_role("region", name="Hand in")
    form.get_by_label("Model", exact=True).select_option(model)
    for label, value in choices.items():
        form.get_by_label(label).select_option(value)
    directory = getattr(files, "is_dir", lambda: False)()
    form.locator("input[webkitdirectory]" if directory else "input[type=file]:not([webkitdirectory])").set_input_files(files)
    form.get_by_role("button", name="Hand in").click()


def state(page, text):
    expect(page.locator(".job-title .badge")).to_have_text(text)


def saved(page, label):
    with page.expect_download() as download:
        page.get_by_role("button", name=label).click()
    return download.value.path().read_bytes().decode("utf-8-sig")


def test_a_folder_is_answered_as_infer_answers(page, gateway, folder):
    hand_in(page, "shapes-detector", folder)
    state(page, "done, 1 failed")
    expect(page).to_have_url(re.compile(r"#jobs/[0-9A-Z]{30,}$"))
    expect(page.locator(".job .count")).to_have_text("8 of 8 items done, 1 failed")
    expect(page.locator(".tile")).to_have_count(8)
    expect(page.locator(".tile.failed")).to_contain_text("this is text, not a picture")

    lines = [json.loads(line) for line in saved(page, "JSON lines").splitlines()]
    assert [line["index"] for line in lines] == list(range(8))
    for line in lines:
        path = folder.parent / line["file"]
        if path.name == "broken.png":
            assert line["error"]["code"] == "unsupported_media_type" and "result" not in line
            continue
        want = gateway.infer("shapes-detector", path)
        assert want["detections"], path
        for document in (want, line["result"]):
            document.pop("from_cache")
        assert line["result"] == want, path

    rows = list(csv.DictReader(io.StringIO(saved(page, "CSV"), newline="")))
    boxes = [(line["file"], d["label"]) for line in lines if "result" in line for d in line["result"]["detections"]]
    assert [(r["file"], r["label"]) for r in rows if r["label"]] == boxes
    assert [float(rows[1][c]) for c in ("x1", "y1", "x2", "y2")] == list(lines[1]["result"]["detections"][0]["box"][c] for c in ("x1", "y1", "x2", "y2"))
    assert [r["error"] for r in rows if r["file"].endswith("broken.png")] == [lines[0]["error"]["detail"]]


def test_nothing_goes_to_another_model_than_the_one_shown(page, gateway, troubles):
    page.goto("/#jobs")
    form = page.get_by_role("region", name="Hand in")
    form.locator("input[type=file]:not([webkitdirectory])").set_input_files(gateway.samples("shapes")[0])
    button = form.get_by_role("button", name="Hand in")
    expect(button).to_have_text("Hand in 1 file")
    expect(form.locator(".chosen")).not_to_contain_text("false")
    page.route("**/v1/models/shapes-detector", lambda route: route.abort())
    form.get_by_label("Model", exact=True).select_option("shapes-detector")
    expect(form).to_contain_text("shapes-detector cannot be described now")
    expect(button).to_be_disabled()
    page.unroute("**/v1/models/shapes-detector")
    form.get_by_label("Model", exact=True).select_option("shapes")
    expect(button).to_be_enabled()
    troubles.allow("net::ERR_FAILED")


def test_an_answer_opens_with_its_picture(page, folder):
    hand_in(page, "shapes-detector", folder)
    state(page, "done, 1 failed")
    tile = page.locator(".tile[data-name$='five-1.jpg']")
    tile.click()
    dialog = page.get_by_role("dialog", name=re.compile("five-1.jpg"))
    expect(dialog.locator(".bars li")).to_have_count(5)
    expect(dialog.get_by_role("img", name=re.compile("5 found"))).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(tile).to_be_focused()
    page.get_by_label("Show").select_option("failed")
    expect(page.locator(".tile")).to_have_count(1)


def test_a_job_that_is_opened_by_its_address(page, gateway):
    path = gateway.samples("shapes")[0]
    with urlopen(Request(f"{gateway.url}/v1/jobs?model=shapes", path.read_bytes(), {"Content-Type": "image/png"})) as answer:
        job = json.load(answer)
    page.goto(f"/#jobs/{job['id']}")
    state(page, "done")
    expect(page.locator(".tile")).to_contain_text("circle")
    assert page.locator(".tile img").count() == 0, "a picture that this browser never had"
    page.get_by_role("link", name="All jobs").click()
    expect(page.locator(f"tr[data-id='{job['id']}'] [data-state=succeeded]")).to_be_visible()


def test_a_job_that_there_is_not(page, troubles):
    troubles.allow("status of 404 .*/v1/jobs/")
    page.goto("/#jobs/01KAKZ4C9SY1V6T3B0M8QWERTY0123456789")
    expect(page.locator(".job-problem")).to_contain_text("job_not_found")
    expect(page.get_by_role("heading", name="No such job")).to_be_visible()


def test_a_job_that_waits_is_cancelled_and_tried_again(page, gateway):
    hand_in(page, "shapes", gateway.samples("shapes")[:2], Start="1h", Priority="realtime")
    state(page, "waits")
    expect(page.locator(".job .note")).to_contain_text(re.compile("It starts in (1 hour|5. minutes)"))
    page.get_by_role("button", name="Cancel").click()
    state(page, "cancelled")
    job = page.url.split("/")[-1]
    assert gateway.get(f"/v1/jobs/{job}")["state"] == "cancelled"
    assert gateway.get(f"/v1/jobs/{job}")["priority"] == "realtime"
    assert [json.loads(line)["error"]["code"] for line in saved(page, "JSON lines").splitlines()] == ["cancelled"] * 2
    page.get_by_role("button", name="Retry").click()
    state(page, "done")
    expect(page.locator(".tile .caption").first).to_contain_text("circle")
    assert gateway.get(f"/v1/jobs/{job}")["state"] == "succeeded"


def test_a_broken_connection_goes_on_where_it_was(open_page, gateway, tmp_path, troubles):
    troubles.allow("net::ERR_|Failed to load resource")
    cutter = Cutter(gateway.url)
    page = open_page(at=cutter)
    pictures = [draw(tmp_path / f"{i:03}.png", i) for i in range(30)]
    cutter.hold(EVENTS, rb"id: 5\n.*?\n\n")
    hand_in(page, "shapes-slow", pictures)
    expect(page.locator(".tile:not(.waits)")).to_have_count(5)
    cutter.hold(EVENTS, rb"^no such$")
    assert cutter.cut(EVENTS) == 1
    state(page, "done")
    expect(page.locator(".job .count")).to_have_text("30 of 30 items done")
    asked = cutter.asked(EVENTS)
    seen = [int(m[1]) for r in asked if (m := re.search(rb"(?i)\r\nlast-event-id: (\d+)\r\n", r))]
    assert len(asked) >= 2 and seen and seen[0] == 5, (len(asked), seen)
    lines = [json.loads(line) for line in saved(page, "JSON lines").splitlines()]
    assert len(lines) == 30 and all("result" in line for line in lines)
    page.context.close()
    cutter.close()


def test_a_gateway_that_is_started_again_meanwhile(open_page, serve, tmp_path, troubles):
    troubles.allow("net::ERR_|Failed to load resource|status of 50")
    own = serve()
    cutter = Cutter(own.url)
    page = open_page(at=cutter)
    cutter.hold(EVENTS, rb"id: 5\n.*?\n\n")
    hand_in(page, "shapes-slow", [draw(tmp_path / f"{i:03}.png", 1000 + i) for i in range(30)])
    expect(page.locator(".tile:not(.waits)")).to_have_count(5)
    cutter.hold(EVENTS, rb"^no such$")
    own.restart()
    cutter.cut(EVENTS)
    state(page, "done")
    expect(page.locator(".job .count")).to_have_text("30 of 30 items done")
    expect(page.locator(".tile.waits")).to_have_count(0)
    page.context.close()
    cutter.close()


def test_many_pictures_become_several_jobs(page, gateway, tmp_path):
    for i in range(230):
        draw(tmp_path / "many" / f"{i:03}.png", 5000 + i, side=16)
    hand_in(page, "digits", tmp_path / "many")
    expect(page.locator(".job .count")).to_have_text("230 of 230 items done")
    expect(page.locator(".job-title .badge")).to_have_text("2 jobs")
    expect(page.locator(".tile")).to_have_count(120)
    page.get_by_role("button", name="Show 110 of 110 more").click()
    expect(page.locator(".tile")).to_have_count(230)
    lines = [json.loads(line) for line in saved(page, "JSON lines").splitlines()]
    assert [line["file"] for line in lines] == [f"many/{i:03}.png" for i in range(230)]
    assert len({line["job"] for line in lines}) == 2
    ids = page.url.split("/")[-1].split(",")
    assert [gateway.get(f"/v1/jobs/{i}")["progress"]["total"] for i in ids] == [200, 30]


def test_a_table_of_rows(page, gateway, tmp_path):
    table = tmp_path / "flowers.csv"
    table.write_text("sepal_length,sepal_width,petal_length,petal_width\n5.1,3.5,1.4,0.2\n6.3,3.3,6.0,2.5\n6.3,3.3,6.0,much\n")
    hand_in(page, "iris", [table])
    state(page, "done, 1 failed")
    expect(page.locator(".tile .caption").nth(0)).to_contain_text("setosa")
    expect(page.locator(".tile .caption").nth(1)).to_contain_text("virginica")
    expect(page.locator(".tile.failed .caption")).to_contain_text("petal_width")


def test_a_table_that_is_none_is_refused_in_words(page, tmp_path):
    table = tmp_path / "flowers.csv"
    table.write_text("sepal_length,sepal_width\n5.1\n")
    hand_in(page, "iris", [table])
    expect(page.get_by_role("alert")).to_contain_text("row 1: 1 fields where the first line names 2 columns")
    expect(page.get_by_role("button", name="Hand in 1 file")).to_be_enabled()


def test_an_answer_that_is_lost_makes_no_second_job(open_page, serve, troubles):
    troubles.allow("net::ERR_FAILED")
    own = serve()
    page = open_page(at=own)
    keys = []

    def lose(route):
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) == 1:
            route.fetch()  # the gateway takes it in, and the page never hears of it
            route.abort()
        else:
            route.continue_()

    page.route("**/v1/jobs?model=*", lose)
    hand_in(page, "shapes", own.samples("shapes")[:3])
    state(page, "done")
    assert len(keys) == 2 and keys[0] == keys[1], keys
    assert len(own.get("/v1/jobs")["jobs"]) == 1


def test_a_drop_of_a_folder(page, folder):
    page.goto("/#jobs")
    box = page.locator(".jobs-drop").bounding_box()
    session = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, "x": box["x"] + 20, "y": box["y"] + 20, "data": {"items": [], "files": [str(folder)], "dragOperationsMask": 1}})
    expect(page.get_by_role("button", name="Hand in 8 files")).to_be_enabled()
    page.get_by_text("1 file left out").click()
    expect(page.locator(".chosen li")).to_have_text("photos/notes.txt")


def test_the_list_is_filtered_and_paged(open_page, serve):
    own = serve()
    for i in range(30):
        urlopen(Request(f"{own.url}/v1/jobs?model=iris&priority={'batch' if i % 3 else 'realtime'}&delay=1h", b'{"row":[5.1,3.5,1.4,0.2]}', {"Content-Type": "application/json"})).close()
    page = open_page(at=own)
    page.goto("/#jobs")
    rows = page.locator(".jobs-table tbody tr")
    expect(rows).to_have_count(25)
    first = rows.first.get_attribute("data-id")
    page.get_by_role("button", name="Older", exact=True).click()
    expect(rows).to_have_count(5)
    page.get_by_role("button", name="Newer", exact=True).click()
    expect(rows.first).to_have_attribute("data-id", first)
    everything = page.get_by_role("region", name="All jobs")
    everything.get_by_label("Priority").select_option("realtime")
    expect(rows).to_have_count(10)
    everything.get_by_label("State").select_option("failed")
    expect(page.get_by_text("No job is like that.")).to_be_visible()


def test_jobs_that_are_off(open_page, serve, troubles):
    troubles.allow("status of 404 .*/v1/jobs")
    own = serve("GATEWAY_JOBS__QUEUE=off")
    page = open_page(at=own)
    page.goto("/#jobs")
    expect(page.get_by_text("This gateway takes no jobs.")).to_be_visible()
    expect(page.get_by_role("alert")).to_contain_text(re.compile("jobs are off", re.I))


def test_by_keyboard_alone(page, gateway):
    page.goto("/#jobs")
    expect(page.get_by_role("region", name="All jobs")).to_be_visible()

    def reach(target, key="Tab"):
        for _ in range(30):
            if target.evaluate("e => e === document.activeElement"):
                return
            page.keyboard.press(key)
        raise AssertionError(f"{target} is not reached by {key}")

    page.on("filechooser", lambda _: None)  # the browser reports choosers from now on; Playwright does not wait until it does
    reach(page.get_by_role("button", name="Pick files"))
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(gateway.samples("shapes")[:3])
    reach(page.get_by_role("button", name="Hand in 3 files"))
    page.keyboard.press("Enter")
    state(page, "done")
    reach(page.locator(".tile").nth(1))
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    reach(page.get_by_role("button", name="Next"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name=re.compile(gateway.samples("shapes")[2].name))).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".tile").nth(2)).to_be_focused()
    reach(page.get_by_role("link", name="All jobs"), "Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Hand in")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe(open_page, gateway, axe, folder, scheme):
    page = open_page(color_scheme=scheme)
    hand_in(page, "shapes-detector", folder)
    state(page, "done, 1 failed")
    axe(page)
    page.locator(".tile[data-name$='five-1.jpg']").click()
    expect(page.get_by_role("img", name=re.compile("5 found"))).to_be_visible()
    axe(page)
    page.keyboard.press("Escape")
    page.get_by_role("link", name="All jobs").click()
    expect(page.locator(".jobs-table tbody tr").first).to_be_visible()
    page.locator("input[webkitdirectory]").set_input_files(folder)
    expect(page.locator(".chosen .thumbs img").first).to_be_visible()
    axe(page)


def test_on_a_phone_nothing_is_wider_than_the_screen(open_page, folder):
    page = open_page(viewport={"width": 360, "height": 740})
    hand_in(page, "shapes-detector", folder)
    state(page, "done, 1 failed")
    for where in ("#jobs/" + page.url.split("/")[-1], "#jobs"):
        page.goto("/" + where)
        expect(page.locator(".tile, .jobs-table tbody tr").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") == 360, where
