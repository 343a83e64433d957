"""Playground: pictures or a row in, an answer out."""

import json

import streamlit as st

import answers
import charts
import parts
import state
from client import Answer, Failure

MOST = 24  # pictures at a time; a job is the way for more


def pictures(listed: dict, place) -> None:
    """Asks for every picture that is chosen, and draws what is found."""
    model = state.model(listed["name"])
    chosen = parts.choose_pictures(model, "play", place=place)
    left, right = st.columns([1, 3], gap="medium")
    with left:
        with st.container(border=True):
            version = parts.choose_version(model, f"play-version-{model['name']}")
            wanted = parts.options(model, "play")
            cache = st.selectbox("Cache", ["default", "no-cache", "no-store"], key="play-cache", help="no-cache computes anew and stores, no-store does neither look nor store")
    with right:
        if not chosen:
            st.info("Choose a picture.", icon=":material/add_photo_alternate:")
        if len(chosen) > MOST:
            st.warning(f"The first {MOST} of {len(chosen)} pictures are asked for. Batch and jobs takes them all.")
        wanted |= {} if cache == "default" else {"cache": cache}
        replies = [(p, parts.asked(model["name"], p, version, wanted)) for p in chosen[:MOST]]
        if len(replies) == 1:
            single(*replies[0])
        elif replies:
            several(replies)


def single(picture: parts.Picture, reply: Answer | Failure) -> None:
    if isinstance(reply, Failure):
        state.tell(reply)
        return
    a, b = st.columns([5, 3], gap="medium")
    with a:
        parts.show_answer(picture, reply)
    with b:
        parts.show_labels(reply)
    parts.show_details(reply)


def several(replies: list[tuple[parts.Picture, Answer | Failure]]) -> None:
    good = [(p, r) for p, r in replies if isinstance(r, Answer)]
    known = sum(r.document.get("from_cache", False) for _, r in good)
    st.markdown(f"**{len(good)} of {len(replies)} answered**, {known} from the cache")
    grid = st.columns(3)
    for i, (picture, reply) in enumerate(replies):
        with grid[i % 3].container(border=True):
            if isinstance(reply, Failure):
                st.markdown(state.escaped(picture.name))
                state.tell(reply)
            else:
                parts.show_answer(picture, reply)
    table = [row for p, r in good for row in answers.rows(p.name, r.document)]
    st.download_button("Download as CSV", answers.to_csv(table), "answers.csv", "text/csv", icon=":material/download:", on_click="ignore")


def row(listed: dict) -> None:
    """A form made of the model's columns."""
    model = state.model(listed["name"])
    columns, example = model.get("columns") or [], ((model.get("example") or {}).get("body") or {}).get("row") or {}
    left, right = st.columns([2, 3], gap="large")
    with left, st.form(f"row-{model['name']}"):
        values = {}
        for i, c in enumerate(columns):
            low, high = c.get("min"), c.get("max")
            start = float(example.get(c["name"], low or 0.0))
            values[c["name"]] = st.number_input(c["name"], None if low is None else float(low), None if high is None else float(high), start, key=f"row-{model['name']}-{i}", format="%g")
        st.form_submit_button("Ask", type="primary")
    with right:
        answer = state.gateway().infer_json(model["name"], {"row": values})
        if "value" in answer.document:
            st.metric(model["name"], f"{answer.document['value']:.4g}", border=True)
        else:
            st.altair_chart(charts.scores(answers.found(answer.document)), width="stretch")
        st.caption(parts.told(answer))
        parts.show_details(answer)


def tensors(listed: dict) -> None:
    """A body as KServe v2 has it."""
    model = state.model(listed["name"])
    example = (model.get("example") or {}).get("body") or {"inputs": []}
    text = st.text_area("Tensors, as a KServe v2 body", json.dumps(example, indent=1), height=300, key=f"raw-{model['name']}")
    if st.button("Ask", type="primary"):
        try:
            body = json.loads(text)
        except (ValueError, RecursionError) as e:
            st.error(f"This is no JSON: {e}")
            return
        answer = state.gateway().infer_json(model["name"], body if isinstance(body, dict) else {"inputs": body})
        st.caption(parts.told(answer))
        st.code(parts.pretty(answer.document), language="json")


state.page("Playground", "One picture or several, or a row of numbers. A picture is asked for by its SHA-256 first: what the cache knows is answered without sending it.")
left, right = st.columns([2, 3], gap="large")
with left:
    model = parts.choose_model(lambda m: True, "play-model")
    if model:
        st.caption(state.escaped(model.get("description") or model.get("task", "")))
if model:
    if answers.takes_pictures(model):
        state.attempt(pictures, model, right)
    elif model.get("task", "").startswith("tabular"):
        state.attempt(row, model)
    else:
        state.attempt(tensors, model)
