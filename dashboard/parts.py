"""Pieces that several pages show: choosing a model and a picture, and one answer."""

import json
from dataclasses import dataclass

import streamlit as st

import answers
import charts
import draw
import state
from client import Answer, Failure

TYPES = ["jpg", "jpeg", "png", "webp"]
CACHE_WORDS = {
    "hit; detail=memory": "from the gateway's memory", "hit; detail=redis": "from Redis", "hit; detail=shared": "shared with a request under way",
    "hit; detail=tensor": "only the last stage ran", "fwd=miss; stored": "computed, and stored", "fwd=request; stored": "computed anew, and stored",
    "fwd=bypass": "computed, not stored", "fwd=miss": "computed",
}  # fmt: skip


@dataclass(frozen=True)
class Picture:
    name: str
    data: bytes


def choose_model(fits, key: str, label: str = "Model", prefer: str = "shapes-detector") -> dict | None:
    """A model of those that fit, or none with a sentence why."""
    listed = [m for m in state.models() if fits(m)]
    if not listed:
        st.info("The gateway has no model for this page.", icon=":material/info:")
        return None
    names = [m["name"] for m in listed]
    if st.session_state.get(key) not in names:
        st.session_state.pop(key, None)
    at = names.index(prefer) if prefer in names else 0
    name = st.selectbox(label, names, index=at, key=key, help="Of GET /v1/models")
    return next(m for m in listed if m["name"] == name)


def choose_version(model: dict, key: str) -> str | None:
    """A version, or none for the one that the model's policy gives."""
    versions = [v["version"] for v in model.get("versions") or []]
    if len(versions) < 2:
        return None
    if st.session_state.get(key) not in ["", *versions]:
        st.session_state.pop(key, None)
    return st.selectbox("Version", ["", *versions], format_func=lambda v: v or "by policy", key=key) or None


def choose_pictures(model: dict, key: str, several: bool = True, place=st) -> list[Picture]:
    """Pictures from the model's samples, the disk or the camera; place is where that is chosen."""
    samples = model.get("samples") or []
    sources = (["Samples"] if samples else []) + ["Upload", "Camera"]
    source = place.segmented_control("Picture from", sources, default=sources[0], key=f"{key}-source-{bool(samples)}") or sources[0]
    if source == "Samples":
        names = place.pills("Sample", samples, default=samples[0], selection_mode="multi" if several else "single", key=f"{key}-sample-{model['name']}")
        names = names if isinstance(names, list) else [names] if names else []
        return [Picture(n, state.sample(model["name"], n)) for n in names]
    if source == "Upload":
        files = st.file_uploader("Pictures" if several else "Picture", TYPES, accept_multiple_files=several, key=f"{key}-upload")
        files = files if isinstance(files, list) else [files] if files else []
        return [Picture(f.name, f.getvalue()) for f in files]
    shot = st.camera_input("Camera", key=f"{key}-camera")
    return [Picture("camera.jpg", shot.getvalue())] if shot else []


def options(model: dict, key: str) -> dict:
    """The options that this model's task has. Only what differs from the model's own defaults is asked for."""
    has, default, out = answers.options(model), model.get("postprocess") or {}, {}
    key = f"{key}-{model['name']}"

    def differs(name: str, value, usual) -> None:
        if value != usual:
            out[name] = value

    labels = model.get("labels") or []
    if "top_k" in has:
        usual = int(default.get("top_k") or 5)
        most = max(usual, len(labels), 2)
        differs("top_k", st.slider("Labels at most", 1, most, usual, key=f"{key}-top"), usual)
    if "confidence" in has:
        usual = float(default.get("confidence") or 0.25)
        differs("confidence", st.slider("Confidence at least", 0.0, 1.0, usual, 0.01, key=f"{key}-confidence", help="Another value runs no model: only the last stage is done again"), usual)
    if "iou" in has:
        usual = float(default.get("iou") or 0.7)
        differs("iou", st.slider("Overlap at most (IoU)", 0.0, 1.0, usual, 0.01, key=f"{key}-iou", help="Of two boxes of a label that overlap by more, the weaker is dropped"), usual)
    if "max_detections" in has:
        usual = int(default.get("max_detections") or 300)
        differs("max_detections", int(st.number_input("Boxes at most", 1, max(usual, 300), usual, key=f"{key}-most")), usual)
    if "classes" in has and labels:
        differs("classes", st.multiselect("Only these labels", labels, key=f"{key}-classes"), [])
    return out


def told(answer: Answer) -> str:
    """Where an answer came from and what it took, in a line."""
    cache = answer.cache.removeprefix("triton-gateway; ")
    words = CACHE_WORDS.get(cache, cache or "nothing is said of the cache")
    if answer.by_digest:
        words += ", known by its digest: the picture was not sent"
    ran = answer.stages.get("total", 0.0)
    return f"{words} · {ran:.1f} ms in the gateway, {answer.took * 1e3:.1f} ms here · {answer.route.split(';')[0] or 'no route'}"


def show_answer(picture: Picture, answer: Answer) -> None:
    """The picture with what was found, and a line of where it came from."""
    try:
        st.image(draw.annotated(picture.data, answer.document), width="stretch", output_format="JPEG", alt=f"{picture.name}: {answers.headline(answer.document)}")
    except draw.Unreadable as e:
        st.caption(str(e))
    st.markdown(f"**{state.escaped(answers.headline(answer.document))}**  \n:small[{state.escaped(picture.name)}]")
    st.caption(told(answer))


def show_labels(answer: Answer) -> None:
    """Labels as a chart, vectors and masks as what they are."""
    rows = answers.found(answer.document)
    scored = [r for r in rows if r.get("score") is not None]
    if scored:
        st.altair_chart(charts.scores(scored[:30]), width="stretch")
    elif rows:
        st.dataframe(rows, hide_index=True)
    elif "embedding" in answer.document:
        st.bar_chart(answer.document["embedding"][:512], height=220)
    else:
        st.info("Nothing was found above the confidence that was asked for.", icon=":material/search_off:")


def show_details(answer: Answer) -> None:
    """The stages of the answer, and the document itself."""
    with st.expander("Stages and raw answer"):
        st.altair_chart(charts.stages(answer.stages), width="stretch")
        st.code(pretty(answer.document), language="json")


def pretty(document) -> str:
    """JSON to look at; very long lists, masks and vectors, are cut."""
    def short(v):
        if isinstance(v, list) and len(v) > 40 and all(isinstance(x, (int, float)) for x in v):
            return [*v[:8], f"... {len(v) - 8} more"]
        if isinstance(v, list):
            return [short(x) for x in v]
        return {k: short(x) for k, x in v.items()} if isinstance(v, dict) else v

    return json.dumps(short(document), indent=1, ensure_ascii=False)


def asked(model: str, picture: Picture, version: str | None, wanted: dict) -> Answer | Failure:
    """The answer for a picture, or why there is none: one bad picture fails alone."""
    try:
        return state.gateway().infer(model, picture.data, version, **wanted)
    except Failure as e:
        return e
