"""Batch and jobs: hand in many files, watch them, cancel, try again, and collect."""

import json
from datetime import timedelta

import streamlit as st

import answers
import handin
import parts
import state
from client import Failure

LOOK = timedelta(seconds=2)
PRIORITIES = ["interactive", "batch", "realtime"]

state.page("Batch and jobs", "Work that is handed in and collected later. What was accepted is on the disk of the gateway and is not lost.")


def hand_in() -> None:
    with st.container(border=True):
        left, right = st.columns([3, 2], gap="large")
        with left:
            files = st.file_uploader("Pictures, or zip archives of pictures", [*parts.TYPES, "zip"], accept_multiple_files=True, key="job-files")
        with right:
            model = parts.choose_model(answers.takes_pictures, "job-model", prefer="shapes")
            if not model:
                return
            a, b = st.columns(2)
            with a:
                version = parts.choose_version(model, f"job-version-{model['name']}")
            with b:
                priority = st.selectbox("Priority", PRIORITIES, key="job-priority")
            samples = st.checkbox("The model's sample pictures too", value=not files, key="job-samples", disabled=not model.get("samples"))
        if st.button("Hand in", type="primary", icon=":material/send:", key="job-send"):
            chosen = [(f.name, f.getvalue()) for f in files]
            if samples:
                chosen += [(n, state.sample(model["name"], n)) for n in model.get("samples") or []]
            send(model["name"], chosen, {"version": version, "priority": priority})


def send(model: str, files: list[tuple[str, bytes]], settings: dict) -> None:
    """Hands in what is chosen, in as many jobs as it takes; what was accepted before a failure stays accepted."""
    if not files:
        st.warning("There is nothing to hand in: choose files, or the samples.")
        return
    accepted = []
    for zipped, part in handin.chunks(files):
        try:
            accepted.append(state.gateway().submit(model, part, zipped, **settings))
        except Failure as e:
            state.tell(e)
            st.warning(f"{len(accepted)} jobs were accepted before that.")
            break
    if accepted:
        st.session_state["job-chosen"] = accepted[0]["id"]
        st.toast(f"{len(files)} files in {len(accepted)} job{'s' if len(accepted) > 1 else ''}", icon=":material/check:")


def act(what: str, ident: str) -> None:
    """Cancels a job or runs it again; a refusal is said where the job is shown."""
    try:
        getattr(state.gateway(), what)(ident)
        st.session_state.pop("job-refused", None)
    except Failure as e:
        st.session_state["job-refused"] = str(e)


@st.fragment(run_every=LOOK)
def listed() -> None:
    """The list, and the job that is chosen in it; both look again by themselves."""
    state.attempt(show_list)


def show_list() -> None:
    left, right = st.columns([3, 1])
    wanted = left.pills("State", handin.STATES, selection_mode="multi", key="job-states", label_visibility="collapsed")
    jobs = [handin.row(j) for j in state.gateway().jobs(state=wanted, limit=50).get("jobs") or []]
    right.caption(f"{len(jobs)} job{'s' if len(jobs) > 1 else ''}, newest first" if jobs else "no jobs")
    if not jobs:
        return
    columns = {
        "progress": st.column_config.ProgressColumn("done", format="percent", min_value=0, max_value=1),
        "created": st.column_config.DatetimeColumn("handed in", format="HH:mm:ss"), "finished": st.column_config.DatetimeColumn("ended", format="HH:mm:ss"),
    }  # fmt: skip
    st.dataframe(jobs, hide_index=True, height=min(36 * (len(jobs) + 1), 330), column_config=columns)
    idents = [j["id"] for j in jobs]
    if st.session_state.get("job-chosen") not in idents:
        st.session_state.pop("job-chosen", None)
    names = {j["id"]: f"{j['id']}  ·  {j['model']}, {j['items']} items, {j['state']}" for j in jobs}
    ident = st.selectbox("Job", idents, format_func=names.get, key="job-chosen")
    if ident:
        show_job(state.gateway().job(ident))


def show_job(job: dict) -> None:
    ident, now = job["id"], job.get("state")
    row = handin.row(job)
    st.progress(min(1.0, row["progress"]), text=state.escaped(handin.summary(job)))
    buttons = st.columns([1, 1, 1, 1, 2])
    buttons[0].button("Cancel", icon=":material/cancel:", on_click=act, args=("cancel", ident), disabled=now not in handin.UNDER_WAY, width="stretch")
    buttons[1].button("Try again", icon=":material/replay:", on_click=act, args=("retry", ident), disabled=now not in handin.MAY_RETRY, width="stretch")
    if refused := st.session_state.get("job-refused"):
        st.error(state.escaped(refused))
    table = [r for name, answer in answers.items(job) for r in answers.rows(name, answer)]
    if not table:
        return
    buttons[2].download_button("CSV", answers.to_csv(table), f"{ident}.csv", "text/csv", icon=":material/download:", on_click="ignore", width="stretch")
    document = json.dumps(job.get("result"), ensure_ascii=False)
    buttons[3].download_button("JSON", document, f"{ident}.json", "application/json", icon=":material/download:", on_click="ignore", width="stretch")
    best = [r for i, r in enumerate(table) if i == 0 or table[i - 1]["name"] != r["name"] or "x1" in r]
    st.dataframe(best[:1000], hide_index=True, height=260)


state.attempt(hand_in)
listed()
