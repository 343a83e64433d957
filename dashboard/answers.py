"""Answers of infer as rows: for tables, charts and CSV."""

import csv
import io
import json

PICTURES = ("image-classification", "object-detection", "image-segmentation", "image-feature-extraction")
OPTIONS = {  # what a task takes beside the picture
    "image-classification": ("top_k", "classes"),
    "tabular-classification": ("top_k", "classes"),
    "object-detection": ("confidence", "iou", "max_detections", "classes"),
    "image-segmentation": ("classes",),
}
COLUMNS = ("name", "model", "version", "label", "score", "x1", "y1", "x2", "y2", "area", "value", "embedding", "error")


def takes_pictures(model: dict) -> bool:
    """Whether a model is asked with pictures; `model` is one of GET /v1/models or the whole document."""
    return model.get("task") in PICTURES


def options(model: dict) -> tuple[str, ...]:
    """The options that this model takes, as infer calls them."""
    took = OPTIONS.get(model.get("task", ""), ())
    head = (model.get("postprocess") or {}).get("head", "")
    return tuple(o for o in took if o != "iou" or head in ("", "yolov8", "yolov5"))


def found(answer: dict) -> list[dict]:
    """Labels with scores, best first: predictions, detections with their box, or segments with their area."""
    out = []
    for p in answer.get("predictions") or answer.get("detections") or answer.get("segments") or []:
        row = {"label": str(p.get("label", p.get("index", "?"))), "score": p.get("score")} | (p.get("box") or {})
        out.append(row | ({"area": p["area"]} if "area" in p else {}))
    return out


def headline(answer: dict) -> str:
    """The answer in a few words."""
    rows = found(answer)
    if "predictions" in answer and rows:
        return f"{rows[0]['label']}, {rows[0]['score']:.1%}"
    if "detections" in answer or "segments" in answer:
        kinds = {r["label"]: sum(o["label"] == r["label"] for o in rows) for r in rows}
        return ", ".join(f"{n} × {k}" if n > 1 else k for k, n in kinds.items()) or "nothing found"
    if "value" in answer:
        return f"{answer['value']:.4g}"
    if "embedding" in answer:
        return f"a vector of {len(answer['embedding'])} numbers"
    return "an answer"


def rows(name: str, answer: dict) -> list[dict]:
    """One row for each label, box or value of an item; an item that failed is a row with its error."""
    head = {"name": name, "model": answer.get("model"), "version": answer.get("version")}
    if "error" in answer:
        problem = answer["error"] or {}
        return [head | {"error": f"{problem.get('code', 'failed')}: {problem.get('detail', '')}"}]
    if "value" in answer:
        return [head | {"value": answer["value"]}]
    if "embedding" in answer:
        return [head | {"embedding": json.dumps(answer["embedding"])}]
    return [head | row for row in found(answer)] or [head]


def items(job: dict) -> list[tuple[str, dict]]:
    """(name, answer) of each item of a job that has a result; the job's model and version stand in each."""
    result = job.get("result") or {}
    answers = result["results"] if "results" in result else [result] if result else []
    names = job.get("names") or []
    shared = {k: result[k] for k in ("model", "version") if k in result}
    return [(names[i] if i < len(names) else f"item {i + 1}", shared | a) for i, a in enumerate(answers)]


def to_csv(table: list[dict]) -> str:
    """CSV with a head. A text that a spreadsheet would take for a formula gets an apostrophe before it: file names come from strangers."""
    used = [c for c in COLUMNS if any(r.get(c) is not None for r in table)] or ["name"]
    out = io.StringIO()
    writer = csv.DictWriter(out, used, extrasaction="ignore", lineterminator="\r\n")
    writer.writeheader()
    for row in table:
        writer.writerow({k: "'" + v if isinstance(v, str) and v[:1] in ("=", "+", "-", "@", "\t", "\r") else v for k, v in row.items()})
    return out.getvalue()
