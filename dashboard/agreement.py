"""How far two answers for one picture agree."""

from dataclasses import dataclass

OVERLAP = 0.5  # boxes of one label that overlap by at least this are the same thing


@dataclass(frozen=True)
class Agreement:
    """same: whether a person would call the answers alike. pairs: rows with what each side says of one label or box."""

    same: bool
    says: str
    pairs: list[dict]


def iou(a: dict, b: dict) -> float:
    """Intersection over union of two boxes with x1, y1, x2, y2."""
    wide = min(a["x2"], b["x2"]) - max(a["x1"], b["x1"])
    tall = min(a["y2"], b["y2"]) - max(a["y1"], b["y1"])
    inter = max(0.0, wide) * max(0.0, tall)
    area = sum((x["x2"] - x["x1"]) * (x["y2"] - x["y1"]) for x in (a, b)) - inter
    return inter / area if area > 0 else 0.0


def matched(a: list[dict], b: list[dict]) -> list[tuple[dict | None, dict | None, float]]:
    """Pairs of detections of one label that overlap enough, best overlap first; then those that only one side has."""
    close = sorted(((iou(p["box"], q["box"]), i, j) for i, p in enumerate(a) for j, q in enumerate(b) if p["label"] == q["label"]), reverse=True)
    left, right, out = set(range(len(a))), set(range(len(b))), []
    for overlap, i, j in close:
        if overlap >= OVERLAP and i in left and j in right:
            left.remove(i)
            right.remove(j)
            out.append((a[i], b[j], overlap))
    return out + [(a[i], None, 0.0) for i in sorted(left)] + [(None, b[j], 0.0) for j in sorted(right)]


def _classes(a: dict, b: dict) -> Agreement:
    p, q = ({x["label"]: x["score"] for x in d["predictions"]} for d in (a, b))
    first = [d["predictions"][0]["label"] if d["predictions"] else None for d in (a, b)]
    pairs = [{"label": k, "A": p.get(k), "B": q.get(k), "difference": abs(p[k] - q[k]) if k in p and k in q else None} for k in dict.fromkeys([*p, *q])]
    widest = max((r["difference"] for r in pairs if r["difference"] is not None), default=0.0)
    same = first[0] == first[1]
    head = f"Both say {first[0]}." if same else f"A says {first[0]}, B says {first[1]}."
    return Agreement(same, f"{head} Their scores differ by {widest:.3f} at most.", pairs)


def _boxes(a: dict, b: dict) -> Agreement:
    found = matched(a["detections"], b["detections"])
    both = [o for p, q, o in found if p and q]
    pairs = [{"label": (p or q)["label"], "A": p and p["score"], "B": q and q["score"], "overlap": o if p and q else None} for p, q, o in found]
    if not found:
        return Agreement(True, "Neither finds anything.", pairs)
    only = [sum(1 for p, q, _ in found if q is None), sum(1 for p, q, _ in found if p is None)]
    mean = f", which overlap by {sum(both) / len(both):.1%} on average" if both else ""
    return Agreement(only == [0, 0], f"{len(both)} found by both{mean}; {only[0]} by A alone, {only[1]} by B alone.", pairs)


def compare(a: dict, b: dict) -> Agreement | None:
    """None where the answers are of different kinds, or of one that has no labels."""
    for kind, how in (("predictions", _classes), ("detections", _boxes)):
        if kind in a and kind in b:
            return how(a, b)
    return None
