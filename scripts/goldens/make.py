#!/usr/bin/env python3
"""Writes preprocess/golden: pictures, and what Pillow and OpenCV make of them by the rules of task.yaml.

Each case of cases.json names an input, a spec, the expected pixels (a PNG in pixels.zip: channels as the spec's color without the swap of BGR)
and the SHA-256 of the expected tensor. Nothing here shares code with the gateway.
`make goldens` runs it with the packages of requirements/goldens.txt.
"""
import hashlib
import json
import pathlib
import shutil
import zipfile

import cv2

import cases
import inputs
import reference

root = pathlib.Path(__file__).resolve().parents[2] / "preprocess" / "golden"


def main():
    shutil.rmtree(root, ignore_errors=True)
    (root / "in").mkdir(parents=True)
    for name, data in inputs.all().items():
        (root / "in" / name).write_bytes(data)
    table, seen = [], {}
    pictures = zipfile.ZipFile(root / "pixels.zip", "w")
    for name, source, spec in cases.all(sorted(p.name for p in (root / "in").iterdir())):
        pixels = reference.pixels((root / "in" / source).read_bytes(), spec)
        digest = hashlib.sha256(pixels.tobytes() + repr(pixels.shape).encode()).hexdigest()
        if digest not in seen:  # many cases differ only in layout
            seen[digest] = f"{len(seen):03d}.png"
            image = pixels[..., ::-1] if pixels.shape[2] == 3 else pixels
            ok, png = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 9])
            assert ok
            pictures.writestr(zipfile.ZipInfo(seen[digest]), png.tobytes())  # without a time: the same bytes each time
        tensor = reference.tensor(pixels, spec)
        table.append({
            "name": name, "input": source, "spec": spec, "pixels": seen[digest],
            "width": pixels.shape[1], "height": pixels.shape[0],
            "tensor": hashlib.sha256(tensor.tobytes()).hexdigest(),
            "lossless": source.endswith(".png") or "lossless" in source,
        })
    pictures.close()
    (root / "cases.json").write_text("[\n" + ",\n".join(json.dumps(c) for c in table) + "\n]\n")
    (root / "versions.json").write_text(json.dumps(reference.versions(), indent=1) + "\n")
    size = sum(p.stat().st_size for p in root.rglob("*") if p.is_file())
    print(f"{len(table)} cases, {len(list((root / 'in').iterdir()))} inputs, {len(seen)} pictures, {size / 1e6:.2f} MB")
    assert size < 6_000_000 and len(table) >= 60


if __name__ == "__main__":
    main()
