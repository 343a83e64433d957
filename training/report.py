"""training/RESULTS.md: one section per model version, rewritten when that one is trained."""

import re
from pathlib import Path

RESULTS = Path(__file__).resolve().parent / "RESULTS.md"
HEAD = "# Measured\n\nWritten by `train.py`; times are medians of 200 runs of ONNX Runtime on one thread of the training machine.\n"


def record(key, rows):
    """Replaces the section of `key` ("model:version") by `rows` of (what, figure)."""
    text = RESULTS.read_text() if RESULTS.exists() else HEAD
    parts = dict(re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", text, re.M | re.S))
    parts[key] = "| what | figure |\n|---|---|\n" + "".join(f"| {a} | {b} |\n" for a, b in rows)
    body = "\n".join(f"## {k}\n\n{parts[k].strip()}\n" for k in sorted(parts))
    RESULTS.write_text(HEAD + "\n" + body)
    for what, figure in rows:
        print(f"{key}: {what}: {figure}")
