"""Performance: where the time goes, what the cache saves, and how the backends are; from /v1/stats alone."""

from datetime import timedelta

import streamlit as st

import charts
import history
import state

LOOK = timedelta(seconds=2)
WINDOWS = {"1 minute": 60, "5 minutes": 300, "30 minutes": 1800}

state.page("Performance", "Looked at every two seconds while somebody has this page open. Times are means of what happened between two looks.")
left, right, third = st.columns([2, 3, 2], vertical_alignment="bottom")
with left:
    model = st.selectbox("Model", ["", *(m["name"] for m in state.models())], format_func=lambda m: m or "all models", key="perf-model") or None
with right:
    window = WINDOWS[st.segmented_control("Window", list(WINDOWS), default="5 minutes", key="perf-window") or "5 minutes"]
with third:
    per_item = st.toggle("Spread over hits too", key="perf-spread", help="On: milliseconds of each stage per item answered, hits too; their sum is what one item costs. Off: per item that went through the stage.")


@st.fragment(run_every=LOOK)
def live() -> None:
    state.attempt(show)


def show() -> None:
    stats = state.gateway().stats()
    past = state.history()
    past.take(stats)
    intervals = past.intervals(window, model)
    figures(stats, intervals)
    st.markdown("**Latency by stage**")
    rows = history.stage_rows(intervals, per_item)
    if rows:
        st.altair_chart(charts.latency(rows, "per item answered" if per_item else "per item in the stage"), width="stretch")
    else:
        st.info("Nothing was asked in this window. Ask something in the Playground, or hand in a job.", icon=":material/hourglass_empty:")
    a, b = st.columns(2, gap="large")
    with a:
        st.markdown("**Throughput**")
        if any(i.items for i in intervals):
            st.altair_chart(charts.throughput(history.cache_rows(intervals)), width="stretch")
        else:
            st.caption("No items in this window.")
    with b:
        st.markdown("**Cache**")
        shares = [{"at": i.at, "ratio": i.ratio} for i in intervals if i.ratio is not None]
        if shares:
            st.altair_chart(charts.ratio(shares), width="stretch")
        else:
            st.caption("No items, no share.")
    a, b = st.columns(2, gap="large")
    with a:
        quantiles(stats)
    with b:
        backends(stats)


def figures(stats: dict, intervals: list[history.Interval]) -> None:
    """The row of numbers: now, and since the start."""
    mine = [m for m in stats.get("models") or [] if model in (None, m["name"])]
    total = sum(m.get("count", 0) for m in mine)
    hits = sum((m.get("cache") or {}).get("hits", 0) for m in mine)
    now = intervals[-1] if intervals else None
    recent = [i.rate for i in intervals]
    numbers = st.columns(5)
    numbers[0].metric("items per second", f"{now.rate:.1f}" if now else "-", border=True, help=f"At most {max(recent):.1f} in this window" if recent else None)
    numbers[1].metric("share of hits, now", f"{now.ratio:.0%}" if now and now.ratio is not None else "-", border=True)
    numbers[2].metric("since the start", f"{hits / total:.0%}" if total else "-", border=True, help=f"{hits} of {total} items came from the cache")
    numbers[3].metric("items since the start", f"{total:,}", border=True)
    numbers[4].metric("up", _duration(stats.get("uptime_seconds", 0)), border=True)


def _duration(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def quantiles(stats: dict) -> None:
    """Since the start: of the chosen model, or of the one that was asked most."""
    asked = [m for m in stats.get("models") or [] if m.get("stages") and model in (None, m["name"])]
    if not asked:
        return
    one = max(asked, key=lambda m: m.get("count", 0))
    st.markdown(f"**Quantiles since the start: {state.escaped(one['name'])}**")
    st.altair_chart(charts.quantiles(one["stages"]), width="stretch")


def backends(stats: dict) -> None:
    """Who runs the models."""
    st.markdown("**Backends**")
    table = []
    for b in stats.get("backends") or []:
        calls = b.get("calls") or {}
        table.append({"name": b.get("name"), "state": "ready" if b.get("ready") else "out"} | {k: calls[k] for k in ("running", "limit", "count", "failures", "retries", "hedges", "ejected") if k in calls} | ({"reason": b["reason"]} if b.get("reason") else {}))
    st.dataframe(table, hide_index=True)
    if jobs := stats.get("jobs"):
        st.markdown("**Jobs**")
        st.dataframe([jobs.get("states") or {}], hide_index=True)


live()
