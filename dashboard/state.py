"""What all pages share: the client, what the gateway was last seen to have, and words for a failure on the page."""

import os
import threading
from collections.abc import Callable
from datetime import timedelta

import streamlit as st

import health
from client import Failure, Gateway
from history import History

LOOK = timedelta(seconds=3)  # how often a page looks whether the gateway is as it was
LIST_TTL = timedelta(seconds=5)


def address() -> tuple[str, str]:
    """URL and token of the gateway, from the environment."""
    return os.environ.get("GATEWAY_URL") or "http://localhost:8080", os.environ.get("GATEWAY_TOKEN", "")


@st.cache_resource
def _gateway(url: str, token: str) -> Gateway:
    return Gateway(url, token, ca=os.environ.get("GATEWAY_CA", ""))


def gateway() -> Gateway:
    return _gateway(*address())


@st.cache_resource
def _history(url: str) -> History:
    return History()


def history() -> History:
    """The samples of /v1/stats, shared by everybody who looks at the dashboard."""
    return _history(address()[0])


@st.cache_resource
def _last(url: str) -> dict:
    return {"lock": threading.Lock()}


# An exception is never kept by cache_data: the next run asks again.
@st.cache_data(ttl=LIST_TTL, show_spinner=False)
def _models(url: str, token: str) -> list[dict]:
    return _gateway(url, token).models()


@st.cache_data(ttl=LIST_TTL, show_spinner=False)
def _model(url: str, token: str, name: str) -> dict:
    return _gateway(url, token).model(name)


@st.cache_data(ttl=timedelta(minutes=5), show_spinner=False, max_entries=100)
def _sample(url: str, token: str, model: str, file: str) -> bytes:
    return _gateway(url, token).sample(model, file)


def _or_last(key, ask: Callable):
    """What ask gives; while the gateway is away, what it gave the last time, so that a page keeps its form."""
    last = _last(address()[0])
    try:
        got = ask()
    except Failure as e:
        with last["lock"]:
            if not e.away or key not in last:
                raise
            return last[key]
    with last["lock"]:
        last[key] = got
    return got


def models() -> list[dict]:
    return _or_last("models", lambda: _models(*address()))


def model(name: str) -> dict:
    return _or_last(("model", name), lambda: _model(*address(), name))


def sample(name: str, file: str) -> bytes:
    return _or_last(("sample", name, file), lambda: _sample(*address(), name, file))


def tell(e: Failure) -> None:
    """A failure as a box on the page. That the gateway is away stands at the head of the page already."""
    if e.code == "unreachable":
        st.info("This waits for the gateway.", icon=":material/hourglass_empty:")
        return
    wait = f" Try again in {e.retry_after:.0f} s." if e.retry_after else ""
    st.error(f"{escaped(str(e))}{wait}", icon=":material/error:")
    st.caption(f"code `{e.code}`" + (f", status {e.status}" if e.status else ""))


def escaped(text: str) -> str:
    """Text of others, to stand in Markdown as it is; a `code` of its own stays."""
    for sign in "\\*_[]$~<>#|:":
        text = text.replace(sign, "\\" + sign)
    return text


def watch(seen: health.Health) -> None:
    """Looks now and then how the gateway is, and runs the page anew when that is not as it was seen."""

    @st.fragment(run_every=LOOK)
    def look() -> None:
        now = health.look(gateway())
        if now != seen:
            st.rerun()

    look()


def page(title: str, says: str) -> None:
    """The head of a page."""
    st.title(title, anchor=False)
    st.caption(says)


def attempt(part: Callable, *arguments) -> None:
    """Shows a part of a page, or what went wrong in it; the rest of the page stays."""
    try:
        part(*arguments)
    except Failure as e:
        tell(e)
