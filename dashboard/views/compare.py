"""Compare: two models, or two versions of one, on the same picture."""

import streamlit as st

import agreement
import answers
import charts
import parts
import state
from client import Failure

state.page("Compare", "Two models, or two versions of one, on the same picture: what each says, and how far they agree.")


def default_version(model: dict, side: str) -> None:
    """Where one model stands on both sides, the sides begin with different versions."""
    versions = [v["version"] for v in model.get("versions") or []]
    key = f"cmp-{side}-version-{model['name']}"
    if key not in st.session_state and len(versions) > 1:
        st.session_state[key] = versions[0 if side == "a" else 1]


def side(letter: str, prefer: str) -> tuple[dict, str | None] | None:
    model = parts.choose_model(answers.takes_pictures, f"cmp-{letter}", f"Model {letter.upper()}", prefer)
    if not model:
        return None
    default_version(model, letter)
    return model, parts.choose_version(model, f"cmp-{letter}-version-{model['name']}")


def show() -> None:
    head = st.columns(2, gap="large")
    with head[0]:
        a = side("a", "shapes")
    with head[1]:
        b = side("b", "shapes")
    if not a or not b:
        return
    chosen = parts.choose_pictures(a[0], "cmp", several=False)
    if not chosen:
        st.info("Choose a picture.", icon=":material/add_photo_alternate:")
        return
    replies, names = [], []
    for place, (model, version), letter in zip(st.columns(2, gap="large"), (a, b), "AB"):
        reply = parts.asked(model["name"], chosen[0], version, {})
        replies.append(reply)
        with place.container(border=True):
            if isinstance(reply, Failure):
                st.subheader(f"{letter}: {model['name']}", anchor=False)
                state.tell(reply)
                continue
            names.append(f"{letter}: {model['name']} {reply.document.get('version', '')}")
            st.subheader(names[-1], anchor=False)
            parts.show_answer(chosen[0], reply)
    if any(isinstance(r, Failure) for r in replies):
        return
    judge(replies[0], replies[1], (names[0], names[1]))


def judge(a, b, names: tuple[str, str]) -> None:
    verdict = agreement.compare(a.document, b.document)
    if verdict is None:
        st.info("The two answer different questions; there is nothing to compare but the pictures.", icon=":material/info:")
        return
    (st.success if verdict.same else st.warning)(state.escaped(verdict.says), icon=":material/handshake:" if verdict.same else ":material/difference:")
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.altair_chart(charts.compared(verdict.pairs, names), width="stretch")
    with right:
        st.dataframe(verdict.pairs, hide_index=True, column_config={k: st.column_config.NumberColumn(format="%.4f") for k in ("A", "B", "difference", "overlap")})


state.attempt(show)
