"""mAP at IoU 0.5 and the mean IoU of what was found, measured in source pixels through the whole reference pipeline."""

import numpy as np

import pipeline
import scenes


def average_precision(run, count, seed, task, **how):
    """One line of text: mAP50 (all-point interpolation), mean IoU of matches and recall at the confidence that clients get."""
    rng = np.random.default_rng(seed)
    found, truths, matched, total = [], np.zeros(len(task["labels"])), [], 0
    for _ in range(count):
        source, boxes, classes = scenes.several(rng, **how)
        pixels, frame = pipeline.geometry(source, task["preprocess"])
        out = run(pipeline.normalise(pixels, task["preprocess"])[None])[0]
        rows = pipeline.detections(out, frame, (source.shape[1], source.shape[0]), task, confidence=0.01)
        truths += np.bincount(classes, minlength=len(truths))
        total += len(classes)
        free = np.ones(len(boxes), bool)
        for row in rows:
            over = np.where(free & (classes == row[5]), pipeline.iou(row[:4], boxes), 0.0) if len(boxes) else np.zeros(1)
            best = int(over.argmax())
            hit = over[best] >= 0.5
            if hit:
                free[best] = False
                if row[4] > task["output"]["confidence"]:
                    matched.append(over[best])
            found.append((row[5], row[4], hit))
    aps = []
    for c in range(len(truths)):
        mine = sorted((f for f in found if f[0] == c), key=lambda f: -f[1])
        hits = np.cumsum([f[2] for f in mine])
        precision = hits / np.arange(1, len(mine) + 1)
        precision = np.maximum.accumulate(precision[::-1])[::-1]
        recall = np.concatenate([[0], hits / truths[c]])
        aps.append(float((np.diff(recall) * precision).sum()))
    wrong = sum(1 for f in found if not f[2] and f[1] > task["output"]["confidence"])
    return (f"mAP50 {np.mean(aps):.4f}, mean IoU {np.mean(matched):.3f}, recall {len(matched) / total:.4f}, "
            f"{wrong} false boxes at confidence {task['output']['confidence']}")
