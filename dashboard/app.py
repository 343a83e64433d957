"""The dashboard: `streamlit run app.py` from this folder, or `make dashboard`. Its pages are in views/."""

from pathlib import Path

import streamlit as st
from PIL import Image

import health
import state

ICON = Image.open(Path(__file__).parent / "icon.png")  # one of Streamlit's own symbols would be fetched from elsewhere
st.set_page_config("triton-gateway", ICON, layout="wide")
st.html("<style>.stMainBlockContainer { padding: 2.75rem clamp(1rem, 4vw, 3rem) 3rem }</style>")

SIGNS = {"up": ":green-badge[:material/check_circle: up]", "backend": ":orange-badge[:material/warning: no backend]", "down": ":red-badge[:material/error: away]"}

pages = {
    "Ask": [
        st.Page("views/playground.py", title="Playground", icon=":material/image_search:", default=True),
        st.Page("views/compare.py", title="Compare", icon=":material/compare:"),
        st.Page("views/jobs.py", title="Batch and jobs", icon=":material/inventory_2:"),
    ],
    "Watch": [
        st.Page("views/models.py", title="Models", icon=":material/deployed_code:"),
        st.Page("views/traffic.py", title="Traffic", icon=":material/alt_route:"),
        st.Page("views/performance.py", title="Performance", icon=":material/monitoring:"),
        st.Page("views/caching.py", title="Caching experiment", icon=":material/bolt:"),
    ],
}
chosen = st.navigation(pages)

# Looked at anew in every run; a page whose gateway goes or comes is run again by the watch, without a reload.
seen = health.look(state.gateway())
with st.sidebar:
    st.markdown(f"**triton-gateway** {SIGNS[seen.state]}")
    st.caption(state.escaped(state.address()[0].removeprefix("http://")) + (f" · {seen.backend}" if seen.backend else ""))
    state.watch(seen)
if seen.state == "down":
    st.error(f"{state.escaped(seen.says)} This page looks again every {state.LOOK.seconds} seconds.", icon=":material/cloud_off:")
elif seen.state == "backend":
    st.warning(state.escaped(seen.says), icon=":material/warning:")
state.attempt(chosen.run)
