"""What jobs take and give as files: tables, parts, CSV and JSON lines, by the page's own modules."""

import pytest


@pytest.fixture
def module(page):
    """Calls a function of a module of the page; an error is given as its text."""
    page.goto("/#history")
    page.wait_for_selector(".history")

    def call(name, function, *arguments):
        return page.evaluate(
            """async ([name, f, args]) => {
              const m = await import(document.querySelector('script[type=module]').src.replace('app.js', name));
              try { return m[f](...args); } catch (e) { return e.message; }
            }""",
            [name, function, list(arguments)],
        )

    return call


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("a,b\n1,2\n", [{"a": 1, "b": 2}]),
        ("\ufeffa,b\r\n1.5,x\r\n-2e3,\r\n", [{"a": 1.5, "b": "x"}, {"a": -2000, "b": ""}]),
        ('"a","b, c"\n"say ""hi""","2\n3"', [{"a": 'say "hi"', "b, c": "2\n3"}]),
        ("a\n\n1\n\n2", [{"a": 1}, {"a": 2}]),
        ("a,b\n1,", [{"a": 1, "b": ""}]),
        ("a,b\n1\n", "t.csv, row 1: 1 fields where the first line names 2 columns."),
        ("a,b\n", "t.csv has no rows: its first line names the columns, and each line below is a row."),
        ("", "t.csv has no rows: its first line names the columns, and each line below is a row."),
        ('a\n"open', 'The table cannot be read near "\\"open"'),
        ('a\n"x"y\n', 'The table cannot be read near "\\"x\\"y\\n"'),
    ],
)
def test_tables(module, text, want):
    assert module("views/jobs-files.js", "rows", text, "t.csv") == want


def test_files_become_jobs_of_200_pictures_or_16_mib(module):
    def files(*named):
        return [{"name": name, "file": {"size": size}} for name, size in named]

    def sizes(*named):
        return [(p["kind"], len(p["files"])) for p in module("views/jobs-files.js", "parts", files(*named))]

    assert sizes(*[(f"{i}.png", 10) for i in range(401)]) == [("picture", 200), ("picture", 200), ("picture", 1)]
    assert sizes(("a.jpg", 9 << 20), ("b.JPEG", 7 << 20), ("c.webp", 1), ("d.png", 40 << 20), ("e.png", 1)) == [("picture", 2), ("picture", 1), ("picture", 1), ("picture", 1)]
    assert sizes(("a.zip", 1), ("b.png", 1), ("c.csv", 1), ("d.png", 1), ("e.json", 1)) == [("archive", 1), ("picture", 2), ("table", 1), ("json", 1)]


def test_what_a_model_takes(module):
    def sift(names, **model):
        found = module("views/jobs-files.js", "sift", [{"name": n} for n in names], model)
        return [[f["name"] for f in found[k]] for k in ("good", "bad")]

    names = ["d/10.png", "d/9.png", "d/.DS_Store", ".git/x.png", "__MACOSX/x.png", "d/labels.json", "notes", "t.csv", "a.zip"]
    assert sift(names, preprocess={}) == [["a.zip", "d/9.png", "d/10.png"], ["d/labels.json", "notes", "t.csv"]]
    assert sift(names, columns=[{}]) == [["t.csv"], ["d/10.png", "d/9.png", "d/labels.json", "notes", "a.zip"]]
    assert sift(["rows.json", "x.png"]) == [["rows.json"], ["x.png"]]


def test_csv_has_a_line_for_each_finding_and_no_formulas(module):
    def item(index, **more):
        return {"name": f"{index}.png", "job": "J", "index": index} | more

    box = {"x1": 1, "y1": 2, "x2": 3.5, "y2": 4}
    items = [
        item(0, result={"version": "1", "detections": [{"label": "=cmd()", "score": 0.5, "box": box}, {"label": 'a "b", c', "score": 0.25, "box": box}]}),
        item(1, result={"version": "1", "detections": []}),
        item(2, error={"code": "invalid_image", "detail": "cut off\nhere"}),
        item(3),
    ]
    assert module("views/jobs-export.js", "csv", items) == (
        "file,job,index,version,rank,label,score,x1,y1,x2,y2,error\r\n"
        "0.png,J,0,1,1,'=cmd(),0.5,1,2,3.5,4,\r\n"
        '0.png,J,0,1,2,"a ""b"", c",0.25,1,2,3.5,4,\r\n'
        "1.png,J,1,1,,,,,,,,\r\n"
        '2.png,J,2,,,,,,,,,"cut off\nhere"\r\n'
        "3.png,J,3,,,,,,,,,no answer\r\n"
    )
    assert module("views/jobs-export.js", "csv", [item(0, result={"version": "1", "value": -1.5}), item(1, result={"version": "1", "values": [1, 2]})]) == (
        "file,job,index,version,rank,value\r\n0.png,J,0,1,,-1.5\r\n1.png,J,1,1,1,1\r\n1.png,J,1,1,2,2\r\n"
    )
