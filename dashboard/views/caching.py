"""The caching experiment: one request ten times, without the cache and with it."""

import time

import streamlit as st

import charts
import experiment
import parts
import state

state.page("Caching experiment", "The same request ten times without the cache, then ten times with it, on a model that takes about 100 ms a call.")


def choose() -> tuple[str, bytes] | None:
    left, right = st.columns(2, gap="large")
    with left:
        listed = parts.choose_model(lambda m: bool(m.get("samples")), "cache-model", prefer=experiment.MODEL)
    if not listed:
        return None
    with right:
        file = st.selectbox("Picture", listed["samples"], index=len(listed["samples"]) // 2, key=f"cache-sample-{listed['name']}")
    if listed["name"] != experiment.MODEL:
        st.caption(f"The figures beside ours are of a model of 100 ms; {experiment.MODEL} is made to be one.")
    return listed["name"], state.sample(listed["name"], file)


def run(model: str, picture: bytes) -> None:
    """Both rows of calls, with a bar that goes along."""
    bar = st.progress(0.0)
    runs = []

    def seen(r: experiment.Run) -> None:
        done = len(runs) * experiment.CALLS + len(r.took)
        bar.progress(done / (2 * experiment.CALLS), f"{r.name}: call {len(r.took)} took {r.took[-1]:.1f} ms")

    for cached in (False, True):
        runs.append(experiment.run(state.gateway(), model, picture, cached, seen=seen))
    bar.empty()
    st.session_state["cache-runs"] = (model, time.strftime("%H:%M:%S"), runs)


def show(model: str, at: str, runs: list[experiment.Run]) -> None:
    r = experiment.result(*runs)
    ms = "{:,.0f} ms".format
    numbers = st.columns(4)
    numbers[0].metric("without the cache", ms(r.without), f"{ms(experiment.PEER_WITHOUT)} with FastAPI + Redis", delta_color="off", delta_arrow="off", border=True)
    numbers[1].metric("with the cache", ms(r.with_cache), f"{ms(experiment.PEER_WITH)} with FastAPI + Redis", delta_color="off", delta_arrow="off", border=True)
    numbers[2].metric("times faster", f"{r.ratio:.1f} ×", f"{r.peer_ratio:.1f} × with FastAPI + Redis", delta_color="off", delta_arrow="off", border=True)
    numbers[3].metric("one hit", f"{r.hit:.2f} ms", f"{r.peer_hit:.1f} ms with FastAPI + Redis", delta_color="off", delta_arrow="off", border=True)
    left, right = st.columns([1, 1], gap="large")
    with left:
        st.markdown("**Ten calls in total**")
        peer = "FastAPI + Redis (reference)"
        rows = [{"who": who, "run": name, "ms": value} for who, pair in (("triton-gateway, here", (r.without, r.with_cache)), (peer, (experiment.PEER_WITHOUT, experiment.PEER_WITH)))
                for name, value in zip((runs[0].name, runs[1].name), pair)]  # fmt: skip
        st.altair_chart(charts.totals(rows), width="stretch")
    with right:
        st.markdown("**Call by call**")
        st.altair_chart(charts.calls(list(experiment.calls(runs))), width="stretch")
    own = sum(runs[0].model) / len(runs[0].model)
    st.caption(
        f"{state.escaped(model)}, at {at}. The model itself took {own:.0f} ms a call. {ms(experiment.PEER_WITHOUT)} and about {ms(experiment.PEER_WITH)} are what a FastAPI service with Redis reaches "
        f"with a model of exactly 100 ms; they are not measured here, and the ratio is what can be compared. It is at most {experiment.CALLS} where all calls of the model take the same: "
        "more or much less says that the machine had other work. With the cache, the first call computes anew (`cache=no-cache`) and nine are hits; "
        "the picture travels every time. Without it, every call has `cache=no-store`."
    )
    with st.expander("All calls"):
        st.dataframe(list(experiment.calls(runs)), hide_index=True)


chosen = choose()
if chosen and st.button("Run the experiment", type="primary", icon=":material/play_arrow:"):
    state.attempt(run, *chosen)
if kept := st.session_state.get("cache-runs"):
    show(*kept)
