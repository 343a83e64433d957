"""The client against answers that are made up: what it sends, and which words it finds for what goes wrong."""

import hashlib
import json

import httpx
import pytest

from client import Failure, Gateway, timings


def answering(*replies, seen=None):
    """A Gateway whose calls are answered by these, in order; an exception is raised. seen collects the requests."""
    left = list(replies)

    def handle(request: httpx.Request) -> httpx.Response:
        request.read()
        if seen is not None:
            seen.append(request)
        reply = left.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply

    return Gateway("http://gateway:8080/", transport=httpx.MockTransport(handle))


def problem(status: int, code: str, detail: str, **headers) -> httpx.Response:
    return httpx.Response(status, json={"code": code, "detail": detail, "title": "T", "status": status}, headers=headers)


def test_timings_take_what_is_readable():
    assert timings('decode;dur=1.5, infer;desc="x";dur="2", odd;dur=much, none, ;dur=3, total;DUR=9') == {"decode": 1.5, "infer": 2.0, "total": 9.0}
    assert timings("") == {}


def test_the_digest_is_asked_for_first():
    seen, picture = [], b"some bytes"
    g = answering(httpx.Response(200, json={"predictions": []}, headers={"Cache-Status": "triton-gateway; hit; detail=memory"}), seen=seen)
    answer = g.infer("a/b", picture, "2", top_k=3, classes=["x", "y"], cache="default")
    assert answer.by_digest and answer.sent == 0 and "hit" in answer.cache
    assert [r.method for r in seen] == ["GET"]
    assert seen[0].url.raw_path.decode() == f"/v1/models/a%2Fb/results/{hashlib.sha256(picture).hexdigest()}?top_k=3&classes=x%2Cy&version=2"


def test_a_picture_travels_when_its_digest_is_not_known():
    seen = []
    g = answering(problem(404, "result_not_cached", "send it"), httpx.Response(200, json={"id": "1"}, headers={"Server-Timing": "infer;dur=4"}), seen=seen)
    answer = g.infer("shapes", b"12345")
    assert (answer.sent, answer.stages, answer.by_digest) == (5, {"infer": 4.0}, False)
    assert [(r.method, r.content) for r in seen] == [("GET", b""), ("POST", b"12345")]


@pytest.mark.parametrize("mode", ["no-cache", "no-store"])
def test_without_the_cache_no_digest_is_asked_for(mode):
    seen = []
    answering(httpx.Response(200, json={}), seen=seen).infer("shapes", b"1", cache=mode)
    assert [(r.method, r.url.params["cache"]) for r in seen] == [("POST", mode)]


def test_another_failure_of_the_digest_is_no_reason_to_upload():
    with pytest.raises(Failure) as e:
        answering(problem(503, "backend_unavailable", "Triton is away", **{"Retry-After": "7"})).infer("shapes", b"1")
    assert (str(e.value), e.value.code, e.value.status, e.value.retry_after) == ("Triton is away", "backend_unavailable", 503, 7)


@pytest.mark.parametrize(
    "reply, code, words",
    [
        (httpx.ConnectError("refused"), "unreachable", "Nobody answers at http://gateway:8080: refused. Start the gateway"),
        (httpx.ConnectTimeout("t"), "unreachable", "did not answer in time"),
        (httpx.ReadTimeout("t"), "slow", "did not answer in time (/v1/models)"),
        (httpx.RemoteProtocolError("gone"), "unreachable", "gone"),
        (httpx.Response(502, text="<html>nginx"), "odd_answer", "answered 502, and not as a gateway does"),
        (httpx.Response(500, json=["x"]), "odd_answer", "answered 500"),
        (httpx.Response(200, text="<html>"), "odd_answer", "no JSON object"),
        (httpx.Response(200, json=[1]), "odd_answer", "no JSON object"),
        (httpx.Response(200, content=b"\xff\xfe{"), "odd_answer", "no JSON object"),
        (httpx.Response(200, content=b"[" * 100_000), "odd_answer", "no JSON object"),
        (problem(401, "unauthenticated", "a key is needed"), "unauthenticated", "a key is needed. Set GATEWAY_TOKEN"),
        (httpx.Response(301, headers={"Location": "/x"}), "odd_answer", "answered 301"),
    ],
)
def test_every_failure_is_said_in_words(reply, code, words):
    with pytest.raises(Failure) as e:
        answering(reply).models()
    assert e.value.code == code and words in str(e.value)


def test_an_endless_answer_is_cut():
    def endless():
        while True:
            yield b"x" * (8 << 20)

    with pytest.raises(Failure, match="too much for a page"):
        answering(httpx.Response(200, content=endless())).models()


def test_the_token_travels_and_only_as_a_header():
    seen = []
    g = Gateway("http://gateway", "secret", httpx.MockTransport(lambda r: seen.append(r) or problem(403, "forbidden", "not for you")))
    with pytest.raises(Failure, match="^not for you$"):
        g.stats()
    assert seen[0].headers["Authorization"] == "Bearer secret" and "secret" not in str(seen[0].url)


@pytest.mark.parametrize("url", ["http://[::1", "http://host:port", "ftp://x", "\x00"])
def test_an_address_that_is_none(url):
    with pytest.raises(Failure) as e:
        Gateway(url).models()
    assert e.value.code == "unreachable"


def test_jobs_travel_as_a_form_or_as_an_archive():
    seen = []
    g = answering(httpx.Response(202, json={"id": "1"}), httpx.Response(202, json={"id": "2"}), seen=seen)
    assert g.submit("shapes", [("a.png", b"AA"), ('b".png', b"BB")], priority="batch", version=None)["id"] == "1"
    assert g.submit("shapes", [("z.zip", b"PK\x03\x04")], zipped=True)["id"] == "2"
    assert dict(seen[0].url.params) == {"model": "shapes", "priority": "batch"}
    assert seen[0].content.count(b'name="image"') == 2 and b'filename="a.png"' in seen[0].content and b"BB" in seen[0].content
    assert seen[1].headers["Content-Type"] == "application/zip" and seen[1].content == b"PK\x03\x04"


def test_rows_travel_as_json():
    seen = []
    answering(httpx.Response(200, json={"value": 1}), seen=seen).infer_json("iris", {"row": {"a": 1.5}}, "3")
    assert json.loads(seen[0].content) == {"row": {"a": 1.5}} and seen[0].url.params["version"] == "3"


def test_what_names_a_job_stays_one_part_of_the_path():
    seen = []
    answering(httpx.Response(200, json={}), seen=seen).cancel("../models?x#y")
    assert seen[0].url.raw_path == b"/v1/jobs/..%2Fmodels%3Fx%23y"
