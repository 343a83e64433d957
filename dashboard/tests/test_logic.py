"""The functions behind the pages: rows, rates, agreement, chunks, health."""

import random

import pytest

import agreement
import answers
import experiment
import handin
import health
import history
import routes
from client import Answer, Failure

CLASSES = {"model": "shapes", "version": "2", "predictions": [{"label": "star", "index": 3, "score": 0.9}, {"label": "cross", "index": 4, "score": 0.1}]}


def boxes(*found) -> dict:
    return {"detections": [{"label": n, "index": 0, "score": s, "box": dict(zip(("x1", "y1", "x2", "y2"), b))} for n, s, b in found]}


# rows and CSV


@pytest.mark.parametrize(
    "answer, words",
    [
        (CLASSES, "star, 90.0%"),
        (boxes(("a", 0.9, (0, 0, 1, 1)), ("b", 0.8, (0, 0, 1, 1)), ("a", 0.7, (5, 5, 6, 6))), "2 × a, b"),
        ({"detections": []}, "nothing found"),
        ({"value": 152.25}, "152.2"),
        ({"embedding": [1, 2, 3]}, "a vector of 3 numbers"),
        ({"segments": [{"label": "sky", "index": 1, "area": 10}]}, "sky"),
        ({"outputs": []}, "an answer"),
    ],
)
def test_headline(answer, words):
    assert answers.headline(answer) == words


def test_rows_of_every_kind():
    assert [(r["name"], r["label"], r["score"]) for r in answers.rows("p", CLASSES)] == [("p", "star", 0.9), ("p", "cross", 0.1)]
    assert answers.rows("p", boxes(("a", 0.5, (1, 2, 3, 4))))[0] | {} == {"name": "p", "model": None, "version": None, "label": "a", "score": 0.5, "x1": 1, "y1": 2, "x2": 3, "y2": 4}
    assert answers.rows("p", {"value": 3})[0]["value"] == 3
    assert answers.rows("p", {"error": {"code": "invalid_image", "detail": "cut"}})[0]["error"] == "invalid_image: cut"
    assert answers.rows("p", {"error": None})[0]["error"] == "failed: "
    assert answers.rows("p", {"detections": []}) == [{"name": "p", "model": None, "version": None}]


def test_items_of_a_job():
    several = {"names": ["a"], "result": {"model": "m", "version": "1", "results": [{"value": 1}, {"error": {}}]}}
    assert answers.items(several) == [("a", {"model": "m", "version": "1", "value": 1}), ("item 2", {"model": "m", "version": "1", "error": {}})]
    assert answers.items({"names": ["a"], "result": CLASSES}) == [("a", CLASSES)]
    assert answers.items({"state": "queued"}) == []


def test_csv_has_the_columns_that_are_used_and_no_formula():
    text = answers.to_csv([{"name": "=cmd()", "label": 'a,"b', "score": -0.5}, {"name": "ok", "error": "-x"}])
    assert text.split("\r\n") == ["name,label,score,error", "'=cmd(),\"a,\"\"b\",-0.5,", "ok,,,'-x", ""]
    assert answers.to_csv([]) == "name\r\n"


def test_options_follow_the_task():
    assert answers.options({"task": "object-detection", "postprocess": {"head": "rtdetr"}}) == ("confidence", "max_detections", "classes")
    assert "iou" in answers.options({"task": "object-detection", "postprocess": {"head": "yolov8"}})
    assert answers.options({"task": "tabular-regression"}) == () == answers.options({})
    assert answers.takes_pictures({"task": "image-classification"}) and not answers.takes_pictures({"task": "raw"}) and not answers.takes_pictures({})


# agreement


def test_classes_agree():
    other = {"predictions": [{"label": "star", "score": 0.7}, {"label": "circle", "score": 0.3}]}
    got = agreement.compare(CLASSES, other)
    assert got.same and got.says == "Both say star. Their scores differ by 0.200 at most."
    assert [(p["label"], p["A"], p["B"]) for p in got.pairs] == [("star", 0.9, 0.7), ("cross", 0.1, None), ("circle", None, 0.3)]
    assert not agreement.compare(CLASSES, {"predictions": [{"label": "cross", "score": 1.0}]}).same
    assert agreement.compare({"predictions": []}, CLASSES).same is False


def test_boxes_are_matched_by_label_and_overlap():
    a = boxes(("a", 0.9, (0, 0, 10, 10)), ("b", 0.8, (50, 50, 60, 60)), ("a", 0.7, (0, 0, 10, 9)))
    b = boxes(("a", 0.95, (0, 0, 10, 9)), ("c", 0.8, (50, 50, 60, 60)))
    got = agreement.compare(a, b)
    assert [(p["label"], p["A"], p["B"], p["overlap"]) for p in got.pairs] == [("a", 0.7, 0.95, 1.0), ("a", 0.9, None, None), ("b", 0.8, None, None), ("c", None, 0.8, None)]
    assert got.says == "1 found by both, which overlap by 100.0% on average; 2 by A alone, 1 by B alone." and not got.same
    assert agreement.compare(boxes(), boxes()).says == "Neither finds anything."
    assert agreement.compare(a, a).same and agreement.compare(CLASSES, a) is None


def test_overlap():
    box = lambda *v: dict(zip(("x1", "y1", "x2", "y2"), v))
    assert agreement.iou(box(0, 0, 2, 2), box(1, 0, 3, 2)) == pytest.approx(1 / 3)
    assert agreement.iou(box(0, 0, 0, 0), box(0, 0, 0, 0)) == 0 == agreement.iou(box(0, 0, 1, 1), box(2, 2, 3, 3))


# history


def stats(uptime: float, hits: int, misses: int, **stages) -> dict:
    return {"uptime_seconds": uptime, "models": [{"name": "m", "cache": {"hits": hits, "misses": misses}, "stages": [{"stage": s, "count": n, "total_ms": ms} for s, (n, ms) in stages.items()]}]}


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_two_looks_make_rates_and_means():
    clock = Clock()
    past = history.History(clock)
    past.take(stats(10, 1, 4, infer=(4, 400.0)))
    clock.now += 0.5
    past.take(stats(10.5, 2, 4))  # too close: another session has just looked
    assert past.intervals(60) == []
    clock.now += 3.5
    past.take(stats(14, 7, 6, infer=(6, 420.0), decode=(2, 8.0), queue=(0, 0.0)))
    (i,) = past.intervals(60)
    assert (i.seconds, i.hits, i.misses, i.rate, i.ratio) == (4, 6, 2, 2.0, 0.75)
    assert i.mean == {"infer": 10.0, "decode": 4.0} and i.ms == {"infer": 2.5, "decode": 1.0}
    assert past.intervals(60, "other")[0].items == 0 and past.intervals(60, "other")[0].ratio is None
    assert history.rates(past, 60) == [{"at": 104.0, "model": "m", "rate": 2.0}]
    assert history.stage_rows([i], True) == [{"at": 104.0, "stage": "infer", "ms": 2.5}, {"at": 104.0, "stage": "decode", "ms": 1.0}]
    assert [r["rate"] for r in history.cache_rows([i])] == [1.5, 0.5]
    clock.now += 100
    assert past.intervals(60) == [] and past.models() == ["m"]


def test_a_gateway_that_began_anew_makes_no_interval():
    a, b = history.sample(stats(500, 9, 9, infer=(9, 90.0)), 0), history.sample(stats(1, 1, 0), 2)
    assert history.between(a, b) is None and history.between(b, b) is None


def test_statistics_that_lack_things():
    assert history.sample({}, 1).models == {}
    assert history.sample({"models": [{"name": "m", "stages": [{"stage": "infer", "p50_ms": 1}]}]}, 1).models["m"].stages == {}
    assert history.History().models() == [] and history.History().intervals(10) == []


def test_history_is_bounded():
    clock = Clock()
    past = history.History(clock, kept=5)
    for n in range(50):
        clock.now += 2
        past.take(stats(n, n, 0))
    assert len(past.intervals(1e9)) == 4


# jobs


def test_chunks_by_number_by_bytes_and_by_kind():
    files = [("a", b"1"), ("z.zip", b"PK\x03\x04.."), ("b", b"22"), ("c", b"333"), ("d", b"4")]
    names = lambda **k: [(z, [n for n, _ in part]) for z, part in handin.chunks(files, **k)]
    assert names() == [(True, ["z.zip"]), (False, ["a", "b", "c", "d"])]
    assert names(items=2) == [(True, ["z.zip"]), (False, ["a", "b"]), (False, ["c", "d"])]
    assert names(size=3) == [(True, ["z.zip"]), (False, ["a", "b"]), (False, ["c"]), (False, ["d"])]
    assert list(handin.chunks([])) == [] and len(list(handin.chunks([("big", b"x" * 9)], size=3))) == 1


def test_no_file_is_lost_or_doubled_however_it_is_cut():
    rng = random.Random(7)
    for _ in range(200):
        files = [(str(i), (b"PK\x03\x04" if rng.random() < 0.1 else b"") + b"x" * rng.randrange(9)) for i in range(rng.randrange(12))]
        parts = list(handin.chunks(files, rng.randrange(1, 5), rng.randrange(1, 20)))
        assert sorted(f for _, part in parts for f in part) == sorted(files) and all(part for _, part in parts)


def test_a_job_in_words():
    job = {"id": "1", "state": "queued", "position": 3, "progress": {"done": 1, "failed": 1, "total": 4}}
    assert handin.summary(job) == "queued: 1 of 4 done, 1 of them failed; 3 jobs are before it"
    assert handin.summary({"state": "failed", "error": {"detail": "why"}}) == "failed: 0 of 0 done. why"
    assert (handin.row(job)["progress"], handin.row({})["progress"], handin.row({})["state"]) == (0.25, 0.0, "?")


# routes, health, the experiment


def test_shares_of_routes():
    own = {"name": "m", "kind": "model", "candidates": [{"model": "m", "version": "2", "weight": 100}]}
    split = {"name": "ab", "candidates": [{"model": "m", "version": "1", "weight": 90}, {"model": "m", "weight": 10}]}
    assert routes.plain(own) and not routes.plain(split) and not routes.plain(own | {"shadow": {"model": "x"}}) and not routes.plain({"name": "alias", "candidates": [{"model": "m"}]})
    assert routes.shares([split]) == [{"route": "ab", "candidate": "m/1", "weight": 90.0}, {"route": "ab", "candidate": "m/latest", "weight": 10.0}]
    assert routes.shares([{"name": "none"}]) == []


def test_health():
    ready, away = {"name": "a:1", "ready": True}, {"name": "b:1", "reason": "refused"}
    assert health.of({"backend": "triton", "backends": [ready]}) == health.Health("up", backend="triton")
    assert health.of({"backends": [away]}).state == "backend" and "b:1: refused" in health.of({"backends": [away]}).says
    assert health.of({"backends": [ready, away]}).says.startswith("1 of 2 backends are out")
    assert health.of({"backends": [{}]}).says.count("no reason is given") == 1

    class Away:
        def stats(self):
            raise Failure("nobody", "unreachable")

    assert health.look(Away()) == health.Health("down", "nobody") and not health.look(Away()).answers


class Model:
    """100 ms a call, 2 ms a hit."""

    def __init__(self):
        self.modes = []

    def infer(self, model, picture, digest_first, cache):
        assert not digest_first
        self.modes.append(cache)
        hit = cache == "default"
        return Answer({}, "triton-gateway; hit; detail=memory" if hit else "triton-gateway; fwd=miss", "", {} if hit else {"infer": 99.0}, 0.002 if hit else 0.1, 1)


def test_the_experiment_computes_once_with_the_cache():
    model, seen = Model(), []
    runs = [experiment.run(model, "m", b"", cached, seen=lambda r: seen.append(len(r.took))) for cached in (False, True)]
    assert model.modes == ["no-store"] * 10 + ["no-cache"] + ["default"] * 9 and seen == [*range(1, 11)] * 2
    r = experiment.result(*runs)
    assert (r.without, r.with_cache, r.hit, r.ratio) == pytest.approx((1000, 118, 2, 1000 / 118))
    assert r.peer_ratio == pytest.approx(8.33, abs=0.01) and r.peer_hit == pytest.approx(2.22, abs=0.01)
    rows = list(experiment.calls(runs))
    assert len(rows) == 20 and rows[11] == {"run": "with the cache", "call": 2, "ms": pytest.approx(2), "model": 0.0, "cache": "hit; detail=memory"}
