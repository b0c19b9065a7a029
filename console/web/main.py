"""The script behind every page: which pages there are, the search, the filters; then the page that was asked for."""

from __future__ import annotations

import logging

import streamlit as st

from console.web import frame
from console.web.context import current
from console.web.pages import pages, path

st.set_page_config(page_title="Tieout", page_icon=":material/balance:", layout="wide", initial_sidebar_state="expanded")

log = logging.getLogger("tieout.console")
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
page = st.navigation(list(made.values()), position="top")
frame.search_box()
page.run()
