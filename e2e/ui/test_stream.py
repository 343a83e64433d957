"""Streams in a real browser: a connection that is lost in the middle, and frames over a WebSocket. The programs are those of the guide."""

import json
import re

import pytest

from cutter import Cutter
from missing import real
from processes import ROOT
from programs import Triton

PROGRAMS = re.findall(r"```js\n(.*?)```", (ROOT / "docs/guide/streams.md").read_text(), re.S)


@pytest.fixture(scope="module")
def countdown():
    """A gateway before a Triton with a model that counts down from its input; from N+1000 it waits 10 ms before each number."""
    patient = ("GATEWAY_STREAMS__GRACE=10m", "GATEWAY_STREAMS__KEEP=10m")  # with a browser that is slow to come back
    t = real(lambda: Triton(ROOT / "gateway/backend/triton/testdata/repository", *patient))
    yield t
    t.close()


@pytest.fixture
def cutter(countdown, troubles):
    troubles.allow("net::ERR_|Failed to load resource")
    c = Cutter(countdown.gateway.url)
    yield c
    c.close()


READ = """async (n) => {
  window.seen = [];
  window.ended = new Promise((end) => read('countdown', [{ name: 'IN', datatype: 'INT32', shape: [1], data: [1000 + n] }],
    (r, id) => window.seen.push([id, r.outputs[0].data[0]]), (problem) => end(problem ?? 'well')));
}"""


def event(number: int) -> bytes:
    """What an answer has at the end of this event."""
    return rb"id: %d\n.*?\n\n" % number


def test_a_stream_goes_on_after_the_connection_was_lost(open_page, cutter):
    """Nothing is lost and nothing comes twice, wherever the connection breaks."""
    page = open_page(at=cutter)
    page.goto("/")
    page.evaluate("() => {" + PROGRAMS[0] + "window.read = read; }")
    events = rb"GET /v1/streams/"
    ends = (20, 120, 220)
    cutter.hold(events, event(ends[0]))
    page.evaluate(READ, 600)
    for at, after in zip(ends, ends[1:] + (None,), strict=True):
        page.wait_for_function("(n) => window.seen.length >= n", arg=at)
        cutter.hold(events, event(after) if after else rb"^no such$")
        assert cutter.cut(events) == 1
    assert page.evaluate("window.ended") == "well"
    assert page.evaluate("window.seen") == [[str(i + 1), 600 - i] for i in range(600)]
    again = cutter.asked(rb"GET /v1/streams/")
    assert len(again) >= 4
    assert [r for r in again if re.search(rb"(?i)last-event-id: \d+", r)], "it did not say what it had seen"


def test_frames_are_answered_and_the_latest_wins(open_page, gateway):
    page = open_page()
    page.goto("/")
    page.evaluate("() => {" + PROGRAMS[1] + "window.watch = watch; }")
    told = page.evaluate("""async () => {
      const canvas = new OffscreenCanvas(64, 64);
      canvas.getContext('2d').fillRect(16, 16, 32, 32);
      const picture = await canvas.convertToBlob();
      return await new Promise((end, fail) => {
        const told = [];
        const socket = watch('shapes', '', (m) => { told.push(m); if (m.seq === 50) { socket.close(); end(told); } });
        socket.onerror = () => fail(new Error('the socket failed'));
        socket.onclose = (e) => fail(new Error('closed with ' + e.code));
        socket.onopen = async () => {
          socket.send(JSON.stringify({ top_k: 1, deadline: '30s' }));
          socket.send(await picture.arrayBuffer());
          for (let i = 1; i < 50; i++) { socket.send(JSON.stringify({ deadline: '30s' })); socket.send(await picture.arrayBuffer()); }
        };
      });
    }""")
    assert [m["seq"] for m in told] == sorted({m["seq"] for m in told})
    assert all("result" in m for m in told), json.dumps(told)[:500]
    assert told[-1]["dropped"] == 50 - len(told)
    assert len(told[0]["result"]["predictions"]) == 1 and len(told[-1]["result"]["predictions"]) == 5
