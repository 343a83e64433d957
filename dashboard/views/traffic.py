"""Traffic: which share of the requests goes where."""

from datetime import timedelta

import streamlit as st

import charts
import history
import parts
import routes
import state

state.page("Traffic", "Names that clients ask for, where their requests go, and how many came.")


def show_routes() -> None:
    listed = state.gateway().routes()
    if not listed:
        st.info("There are no routes: the gateway serves no model.", icon=":material/info:")
        return
    if all(routes.plain(r) for r in listed):
        st.info("Each model is only a route to itself: its highest ready version gets all of its requests. No traffic is split.", icon=":material/trending_flat:")
    st.altair_chart(charts.weights(routes.shares(listed)), width="stretch")
    for r in (r for r in listed if not routes.plain(r)):
        with st.expander(f"{r['name']}: {r.get('kind', 'route')}"):
            st.dataframe(r.get("candidates") or [], hide_index=True)
            for part in ("rules", "sticky", "shadow"):
                if r.get(part):
                    st.markdown(f"**{part}**")
                    st.code(parts.pretty(r[part]), language="json")


@st.fragment(run_every=timedelta(seconds=2))
def came() -> None:
    def show() -> None:
        stats = state.gateway().stats()
        state.history().take(stats)
        counts = [{"model": m["name"], "items": m.get("count", 0)} for m in stats.get("models") or []]
        left, right = st.columns(2, gap="large")
        with left:
            st.markdown("**Items since the gateway's start**")
            st.bar_chart(counts, x="model", y="items", horizontal=True, color=charts.OURS, height=260)
        with right:
            st.markdown("**Items per second**")
            rows = history.rates(state.history(), 300)
            if rows:
                st.altair_chart(charts.by_model(rows), width="stretch")
            else:
                st.caption("Nothing was asked in the last five minutes, as far as this page has looked.")

    state.attempt(show)


state.attempt(show_routes)
came()
