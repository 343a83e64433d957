"""Models: what is served, in which versions, and what each makes of its input."""

import streamlit as st

import state

state.page("Models", "What the gateway serves: readiness, versions, labels, and the preprocessing that is in force.")


def overview(models: list[dict]) -> None:
    ready, versions = sum(bool(m.get("ready")) for m in models), sum(len(m.get("versions") or []) for m in models)
    warnings = sum(len(m.get("warnings") or []) + bool(m.get("error")) for m in models)
    for place, (label, value) in zip(st.columns(4), (("models", len(models)), ("ready", ready), ("versions", versions), ("warnings", warnings))):
        place.metric(label, value, border=True)
    table = [
        {"model": m["name"], "ready": bool(m.get("ready")), "task": m.get("task") or "-",
         "versions": ", ".join(f"{v['version']} {v.get('state', '')}".strip() for v in m.get("versions") or []),
         "description": m.get("description") or "", "warnings": len(m.get("warnings") or []) + bool(m.get("error"))}
        for m in models
    ]  # fmt: skip
    st.dataframe(table, hide_index=True, column_order=["model", "ready", "task", "versions", "warnings", "description"])


def one(name: str) -> None:
    m = state.model(name)
    st.subheader(name, anchor=False)
    st.caption(state.escaped(m.get("description") or ""))
    for text in filter(None, [m.get("error"), *(m.get("warnings") or [])]):
        st.warning(state.escaped(text), icon=":material/warning:")
    for v in m.get("versions") or []:
        if v.get("state") != "READY":
            st.error(state.escaped(f"Version {v['version']} is {v.get('state')}: {v.get('reason') or 'no reason is given'}"))
    left, middle, right = st.columns([4, 5, 4], gap="medium")
    with left:
        st.markdown("**Tensors**")
        tensors = [{"": way, **{k: str(t.get(k)) for k in ("name", "datatype", "shape")}} for way, key in (("in", "inputs"), ("out", "outputs")) for t in m.get(key) or []]
        st.dataframe(tensors, hide_index=True)
        st.caption(f"{m.get('task')}, from {m.get('task_source', '?')}; batches of at most {m.get('max_batch_size', 0) or 1}")
        if m.get("labels"):
            st.markdown("**Labels**")
            st.dataframe([{"index": i, "label": label} for i, label in enumerate(m["labels"])], hide_index=True, height=220)
    with middle:
        st.markdown("**Preprocess**")
        if m.get("preprocess"):
            st.dataframe([{"step": k, "value": ", ".join(f"{a} {b}" for a, b in v.items()) if isinstance(v, dict) else str(v)} for k, v in m["preprocess"].items()], hide_index=True)
        elif m.get("columns"):
            st.dataframe(m["columns"], hide_index=True)
        else:
            st.caption("None: tensors go to the model as they are.")
    with right:
        st.markdown("**Postprocess**")
        st.dataframe([{"step": k, "value": str(v)} for k, v in (m.get("postprocess") or {}).items()], hide_index=True)
        if example := (m.get("example") or {}).get("curl"):
            st.markdown("**Ask it**")
            st.code(example, language="sh", wrap_lines=True)


def show() -> None:
    models = state.models()
    if not models:
        st.info("The gateway serves no model. Put one into its model repository.", icon=":material/info:")
        return
    overview(models)
    name = st.selectbox("Model", [m["name"] for m in models], key="models-one", index=next((i for i, m in enumerate(models) if m.get("preprocess") or m.get("samples")), 0))
    state.attempt(one, name)


state.attempt(show)
