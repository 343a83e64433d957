"""A gateway that wants a key, and one whose certificate is of an authority of its own."""

import pytest

from client import Failure, Gateway
from keyproxy import KeyProxy
from test_pages import PAGES, opened, picture, sound

KEY = "tgk_for-the-dashboard"


@pytest.fixture
def locked(gateway):
    proxy = KeyProxy(gateway.url, KEY)
    yield proxy
    proxy.close()


def test_everything_is_asked_with_the_token(locked):
    g = Gateway(locked.url, KEY)
    assert any(m["name"] == "shapes" for m in g.models())
    assert g.infer("shapes", picture("circle-1.png")[1]).document["predictions"][0]["label"] == "circle"
    job = g.submit("shapes", [("a.png", picture("circle-1.png")[1])])
    assert job["id"] and g.stats()["backends"]
    assert locked.seen and {key for _, _, key in locked.seen} == {KEY}
    assert all(KEY not in path for _, path, _ in locked.seen)


@pytest.mark.parametrize("token, words", [("", "send a key. Set GATEWAY_TOKEN"), ("wrong", "this key is unknown")])
def test_a_missing_or_wrong_token_is_said_in_words(locked, token, words):
    with pytest.raises(Failure, match=words) as e:
        Gateway(locked.url, token).models()
    assert (e.value.code, e.value.status) == ("unauthenticated", 401) and not e.value.away


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_authorities_that_cannot_be_read_are_said_in_words(tmp_path, content):
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(Failure, match="GATEWAY_CA is .* holds no certificates"):
        Gateway("https://gateway", ca=str(path)).models()


@pytest.mark.parametrize("page", PAGES)
def test_every_page_is_shown_with_the_token(page, locked, at, monkeypatch):
    at(locked.url)
    monkeypatch.setenv("GATEWAY_TOKEN", KEY)
    sound(opened(page))
    assert {key for _, path, key in locked.seen if path.startswith("/v1")} == {KEY}
