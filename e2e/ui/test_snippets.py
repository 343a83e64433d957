"""What is copied as a program runs as it is, and answers what infer answers."""

import json
import shutil
import subprocess
import time
import urllib.request

import pytest
from playwright.sync_api import expect

from conftest import real
from looks import ask, picture, slide
from processes import READY_WITHIN, ROOT, clean_environment, installed
from programs import REPOSITORY

LANGUAGES = ["curl", "Python", "JavaScript", "Go", "tritonclient"]
PATIENCE = 300  # seconds; Go compiles its program first


def python():
    return real(lambda: installed("Triton's clients", ROOT / ".cache" / "tritonclient" / "bin" / "python"))


def tool(name: str) -> str:
    return str(real(lambda: installed(name, shutil.which(name))))


def node() -> str:
    """Node, which nothing else here needs; where there is none, the program for it is not run."""
    return shutil.which("node") or pytest.skip("Node is not installed")


def command(language: str, text: str, folder) -> list[str]:
    """How a reader runs a snippet: a line for the shell, or a file for its interpreter."""
    if language == "curl":
        return [tool("bash"), "-euc", tool("curl") + text.removeprefix("curl")]
    name = {"Python": "ask.py", "tritonclient": "ask.py", "JavaScript": "ask.mjs", "Go": "main.go"}[language]
    (folder / name).write_text(text)
    match language:
        case "JavaScript":
            return [node(), name]
        case "Go":
            return [tool("go"), "run", name]
    return [str(python()), name]


def run(language: str, text: str, folder) -> str:
    """What the program writes. It sees no setting of the tests' own."""
    done = subprocess.run(command(language, text, folder), cwd=folder, env=clean_environment(), capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, f"{language}:\n{text}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def copied(page, language: str) -> str:
    """The text that Copy puts on the clipboard."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("tab", name=language, exact=True).click()
    expect(page.locator("pre.snippet")).to_have_attribute("data-language", language)
    page.locator(".code", has=page.locator("pre.snippet")).get_by_role("button", name="Copy").click()
    text = page.evaluate("navigator.clipboard.readText()")
    assert text == page.locator("pre.snippet").text_content()
    return text


def same(document: dict) -> dict:
    """An answer without what differs from call to call."""
    return {k: v for k, v in document.items() if k not in ("id", "from_cache")}


def tensors(output: str) -> dict[str, list]:
    """What a snippet for tritonclient writes of tensors: a line for each."""
    return {line.split(" ", 1)[0]: json.loads(line.split(" ", 1)[1]) for line in output.splitlines()}


def reload_until(gateway, done) -> None:
    """Has the model repository read again until the names of the models that are ready are as wanted."""
    end = time.monotonic() + READY_WITHIN
    while not done([m["name"] for m in gateway.get("/v1/models")["models"] if m["ready"]]):
        assert time.monotonic() < end, "the model repository is not read again"
        urllib.request.urlopen(urllib.request.Request(f"http://{gateway.admin}/v1/reload", b"", method="POST"), timeout=180).close()


def plain(gateway) -> str:
    """Adds a model that takes tensors: iris without a task."""
    folder = gateway.repository / "plain"
    shutil.copytree(REPOSITORY / "iris" / "1", folder / "1")
    config = (REPOSITORY / "iris" / "config.pbtxt").read_text().replace('name: "iris"', 'name: "plain"').replace('    label_filename: "labels.txt"\n', "")
    (folder / "config.pbtxt").write_text(config)
    (folder / "task.yaml").write_text("task: raw\ndescription: The tensors of iris as they are\n")
    reload_until(gateway, lambda names: "plain" in names)
    return "plain"


@pytest.fixture(scope="module")
def raw(gateway):
    """The shared gateway with one more model."""
    yield plain(gateway)
    shutil.rmtree(gateway.repository / "plain")
    reload_until(gateway, lambda names: "plain" not in names)


def shown(page):
    expect(page.locator("#result .head strong")).not_to_be_empty()
    expect(page.locator("pre.snippet")).not_to_be_empty()


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_picture_with_a_version_and_an_option(page, gateway, tmp_path, language):
    ask(page, "shapes", "circle-1.png")
    shown(page)
    page.locator("#version").select_option("1")
    expect(page.locator("#result .badges")).to_contain_text("version 1")
    slide(page, "top_k", 2)
    expect(page.locator("#result .bars li")).to_have_count(2)
    shutil.copy(picture("shapes", "circle-1.png"), tmp_path)
    answer = json.loads(run(language, copied(page, language), tmp_path))
    assert same(answer) == same(gateway.infer("shapes", picture("shapes", "circle-1.png"), "top_k=2&version=1"))
    assert len(answer["predictions"]) == 2 and answer["version"] == "1" and answer["predictions"][0]["label"] == "circle"


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_detector_with_options(page, gateway, tmp_path, language):
    ask(page, "shapes-detector", "five-1.jpg")
    shown(page)
    slide(page, "iou", 0.3)
    slide(page, "confidence", 0.95)
    want = gateway.infer("shapes-detector", picture("shapes-detector", "five-1.jpg"), "confidence=0.95&iou=0.3")
    expect(page.locator("#result .rows li")).to_have_count(len(want["detections"]))
    expect(page.locator("pre.snippet")).to_contain_text("0.95")
    shutil.copy(picture("shapes-detector", "five-1.jpg"), tmp_path)
    assert same(json.loads(run(language, copied(page, language), tmp_path))) == same(want)


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_row(page, gateway, tmp_path, language):
    page.goto("/#try/iris")
    shown(page)
    row = {"sepal_length": 6.7, "sepal_width": 3.1, "petal_length": 5.2, "petal_width": 2.3}
    for name, value in row.items():
        page.locator(f"#row input[name={name}]").fill(str(value))
    expect(page.locator("#result .head strong")).to_have_text("virginica")
    expect(page.locator("pre.snippet")).to_contain_text("5.2")
    output = run(language, copied(page, language), tmp_path)
    want = gateway.get("/v1/models/iris/infer?" + "&".join(f"{k}={v}" for k, v in row.items()))
    if language != "tritonclient":
        assert same(json.loads(output)) == same(want)
        return
    (scores,) = tensors(output)["probabilities"]
    assert {p["index"]: pytest.approx(scores[p["index"]], abs=1e-6) for p in want["predictions"]} == {p["index"]: p["score"] for p in want["predictions"]}


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
def test_tensors(page, raw, tmp_path, language):
    page.goto(f"/#try/{raw}")
    body = {"inputs": [{"name": "input", "datatype": "FP32", "shape": [2, 4], "data": [6.7, 3.1, 5.2, 2.3, 5.1, 3.5, 1.4, 0.2]}]}
    page.locator("#tensors textarea").fill(json.dumps(body))
    expect(page.locator("pre.snippet")).to_contain_text("6.7")
    expect(page.locator("#result")).to_contain_text("probabilities")
    output = run(language, copied(page, language), tmp_path)
    page.locator("#extras summary", has_text="Raw answer").click()
    expect(page.locator("#raw")).to_contain_text('"outputs"')
    want = json.loads(page.locator("#raw").inner_text())["outputs"][0]
    assert want["shape"] == [2, 3] and want["data"][2] > 0.5 and want["data"][3] > 0.5, want
    if language == "tritonclient":
        assert sum(tensors(output)["probabilities"], []) == pytest.approx(want["data"], abs=1e-6)
    else:
        assert json.loads(output)["outputs"] == [want]


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_body_that_is_too_long_for_a_program(page, raw, tmp_path, language):
    page.goto(f"/#try/{raw}")
    body = {"inputs": [{"name": "input", "datatype": "FP32", "shape": [60, 4], "data": [6.7125, 3.1125, 5.2125, 2.3125] * 60}]}
    page.locator("#tensors textarea").fill(json.dumps(body))
    expect(page.locator("pre.snippet")).to_contain_text("request.json")
    text = copied(page, language)
    assert "request.json" in text and "3.1125" not in text
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save request.json").click()
    assert saved.value.suggested_filename == "request.json"
    saved.value.save_as(tmp_path / "request.json")
    output = run(language, text, tmp_path)
    if language == "tritonclient":
        assert [row.index(max(row)) for row in tensors(output)["probabilities"]] == [2] * 60
    else:
        assert json.loads(output)["outputs"][0]["shape"] == [60, 3]


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_name_that_is_hard_to_quote(page, gateway, tmp_path, language):
    name = "it's a \"star\"; 50%, $(x) `y` ä\\.jpg"
    shutil.copy(picture("shapes", "star-1.jpg"), tmp_path / name)
    page.goto("/#try/shapes")
    page.set_input_files("#file", tmp_path / name)
    shown(page)
    expect(page.locator("pre.snippet")).to_contain_text("50%")
    answer = json.loads(run(language, copied(page, language), tmp_path))
    assert same(answer) == same(gateway.infer("shapes", picture("shapes", "star-1.jpg")))


@pytest.mark.parametrize("language", ["Python", "JavaScript", "curl"])
def test_a_program_says_what_is_wrong(page, gateway, tmp_path, language):
    ask(page, "shapes", "circle-1.png")
    shown(page)
    text = copied(page, language)
    (tmp_path / "circle-1.png").write_text("no picture")
    done = subprocess.run(command(language, text, tmp_path), cwd=tmp_path, env=clean_environment(), capture_output=True, text=True, timeout=PATIENCE)
    assert "this is text, not a picture" in done.stdout + done.stderr
    assert (done.returncode == 0) == (language == "curl")


def test_the_tabs_by_keyboard(page, gateway):
    ask(page, "shapes", "circle-1.png")
    shown(page)
    first = page.get_by_role("tab", name="curl")
    expect(first).to_have_attribute("aria-selected", "true")
    first.focus()
    for key, language in (("ArrowRight", "Python"), ("End", "tritonclient"), ("ArrowRight", "curl"), ("ArrowLeft", "tritonclient"), ("Home", "curl"), ("ArrowRight", "Python")):
        page.keyboard.press(key)
        expect(page.get_by_role("tab", name=language, exact=True)).to_be_focused()
        expect(page.locator("pre.snippet")).to_have_attribute("data-language", language)
    page.reload()
    page.locator('#samples [data-file="star-1.jpg"]').click()
    expect(page.locator("pre.snippet")).to_have_attribute("data-language", "Python")
    expect(page.locator("pre.snippet")).to_contain_text("star-1.jpg")
