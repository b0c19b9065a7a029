"""The script behind every page: which pages there are, the search, the filters; then the page that was asked for."""

from __future__ import annotations

import streamlit as st

from console.web import frame
from console.web.context import current
from console.web.pages import pages, path

st.set_page_config(page_title="Tieout", page_icon=":material/balance:", layout="wide", initial_sidebar_state=264)

# The page server leaves a hand's breadth empty above and below; a console is read at a glance.
STYLE = """<style>
.stMainBlockContainer { padding-top: 3.5rem; padding-bottom: 3rem; }
[data-testid="stMetricDelta"] { font-size: 0.8rem; }
</style>"""

console = current()
shown = {name: page for name, page in pages().items() if not page.demo or console.control_url}
made = {
    name: st.Page(
        path(name),
        title=page.title,
        icon=f":material/{page.icon}:",
        url_path=name,
        default=name == "overview",
        visibility="visible" if page.listed else "hidden",
    )
    for name, page in shown.items()
}
st.html(STYLE)
page = st.navigation(list(made.values()), position="top")
frame.brand(console)
frame.search_box()
page.run()
