"""What frames every page: search, filters, the span of time, the instant shown, and redrawing when data changed.

The URL is the one truth of every filter, so each view can be sent to somebody. Nothing is computed here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import streamlit as st
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from metrics.past import Past
from metrics.queries.choices import entities, platforms, segments
from metrics.queries.narrow import Narrow
from metrics.sli import Filters
from probes.clock import DAY, HOUR, duration_us, to_us

from . import formats
from .context import Console, current
from .data import as_of, ask, generation, narrowed
from .pages import path

PERIODS = {
    "": "Each SLO's own window",
    "24h": "Last 24 hours",
    "7d": "Last 7 days",
    "28d": "Last 28 days",
    "90d": "Last 90 days",
}
DEFAULT_SPAN_US = 28 * DAY
FRAME_PARAMS = ("period", "entity", "platform", "segment", "as_of")
_SAVED, _PAGE, _SEARCHED = "_frame_params", "_frame_page", "_searched"
log = logging.getLogger("tieout.console")


@dataclass(frozen=True, slots=True)
class View:
    """What the viewer asked to see. `shown_us`: the instant all figures are of; `live` is false for a past instant."""

    filters: Filters
    narrow: Narrow
    from_us: int
    shown_us: int
    live: bool
    zone: ZoneInfo
    dark: bool
    params: Mapping[str, str]

    @property
    def past(self) -> Past | None:
        """Return the past instant to show, None for now."""
        return self.narrow.past

    @property
    def past_us(self) -> int | None:
        """Return the past instant to show, None for now."""
        return self.filters.as_of_us

    def instant(self, us: int | None, seconds: bool = False) -> str:
        """Return an instant in the viewer's zone."""
        return formats.instant(us, self.zone, seconds)

    def ago(self, us: int | None) -> str:
        """Return how long ago an instant was when this page was computed."""
        return formats.ago(us, self.shown_us)

    def link(self, **params: str | int | None) -> dict[str, str]:
        """Return query parameters that keep the filters and add these."""
        return {**self.params, **{k: str(v) for k, v in params.items() if v is not None}}


def param(name: str, default: str = "") -> str:
    """Return one query parameter of the page's address."""
    found = st.query_params.get(name, default)
    return found if isinstance(found, str) else default


def choose(label: str, name: str, options: Mapping[str, str], default: str = "", help: str | None = None) -> str:
    """Show a choice that is kept in the address under `name`. Returns the chosen key of `options`."""
    key = f"choice_{name}"
    value = param(name, default)
    st.session_state[key] = value if value in options else default
    st.selectbox(
        label,
        list(options),
        key=key,
        format_func=lambda o: options[o],
        on_change=_keep,
        args=(key, name, default),
        help=help,
    )
    return str(st.session_state[key])


def typed(label: str, name: str, placeholder: str = "", help: str | None = None) -> str:
    """Show a text field that is kept in the address under `name`."""
    key = f"typed_{name}"
    st.session_state[key] = param(name)
    st.text_input(label, key=key, placeholder=placeholder, on_change=_keep, args=(key, name, ""), help=help)
    return str(st.session_state[key]).strip()


def _keep(key: str, name: str, default: str) -> None:
    value = str(st.session_state[key])
    if value in ("", default):
        st.query_params.pop(name, None)
    else:
        st.query_params[name] = value
    if name in FRAME_PARAMS:
        st.session_state[_SAVED] = {k: v for k in FRAME_PARAMS if (v := param(k))}


def restore(page: str) -> None:
    """Carry the filters over when the viewer turns to another page by the menu, which drops the address's parameters."""
    if st.session_state.get(_PAGE) not in (None, page):
        for name, value in st.session_state.get(_SAVED, {}).items():
            if name not in st.query_params:
                st.query_params[name] = value
    st.session_state[_PAGE] = page
    st.session_state[_SAVED] = {k: v for k in FRAME_PARAMS if (v := param(k))}


def read_view(console: Console) -> View:
    """Show the filters in the sidebar and return what the viewer asked for."""
    known_entities, known_platforms, known_segments = ask(console, ("choices",), _choices)
    with st.sidebar:
        period = choose(
            "Period", "period", PERIODS, help="SLIs default to the window of their own objective; lists to 28 days."
        )
        entity = choose("Legal entity", "entity", _all("All legal entities", known_entities))
        platform = choose("Platform", "platform", _all("All platforms", known_platforms))
        segment = choose("Segment", "segment", _all("All segments", known_segments)) if known_segments else ""
        tz = formats.zone(st.context.timezone)
        past_us = _past(tz, console.now_us())
    return view_of(console, period, entity, platform, segment, past_us, tz, _customer())


def _customer() -> int | None:
    text = param("customer")
    return int(text) if text.isdigit() and int(text) < 2**63 else None


def view_of(
    console: Console,
    period: str,
    entity: str,
    platform: str,
    segment: str,
    past_us: int | None,
    tz: ZoneInfo,
    customer: int | None = None,
) -> View:
    """Return the view for given filters."""
    shown = as_of(console) if past_us is None else past_us
    window = duration_us(period) if period else None
    chosen: dict[str, Any] = {
        "platform": platform or None,
        "entity": entity or None,
        "segment": segment or None,
        "customer_id": customer,
    }
    filters = Filters(**chosen, as_of_us=past_us, window_us=window)
    return View(
        filters=filters,
        narrow=narrowed(console, filters),
        from_us=shown - (window or DEFAULT_SPAN_US),
        shown_us=shown,
        live=past_us is None,
        zone=tz,
        dark=getattr(st.context.theme, "type", None) == "dark",
        params={k: v for k in (*FRAME_PARAMS, "customer") if (v := param(k))},
    )


def _all(label: str, names: list[str]) -> dict[str, str]:
    return {"": label, **{n: formats.plain(n) for n in names}}


def _choices(conn: Connection) -> tuple[list[str], list[str], list[str]]:
    return entities(conn), platforms(conn), segments(conn)


def _past(tz: ZoneInfo, now_us: int) -> int | None:
    text = typed(
        "As of", "as_of", "now", "Show what was known to have happened by then: 2026-11-20 18:00 in your zone."
    )
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        st.error("Write the instant as 2026-11-20 18:00 (your zone) or 2026-11-20T17:00Z; showing now.")
        return None
    at_us = to_us(at if at.tzinfo else at.replace(tzinfo=tz))
    if at_us > now_us:
        st.error("This instant is in the future, of which nothing is known; showing now.")
        return None
    return at_us


def redraw_when_changed(console: Console, live: bool) -> None:
    """Look every few seconds whether something was judged anew, and redraw only then; the viewer can pause it."""
    paused = st.sidebar.toggle("Pause updates", key="paused", help="The page redraws only when new results are in.")
    every = None if paused or not live else max(console.settings.refresh / 1_000_000, 2)
    shown = _now(console)

    @st.fragment(run_every=every)
    def look() -> None:
        if _now(console) != shown:
            st.rerun()

    with st.sidebar:
        look()


def _now(console: Console) -> tuple[object, ...]:
    with console.store.read() as conn:
        return (*generation(conn), console.now_us() // HOUR)


def brand(console: Console) -> None:
    """Show whose console this is."""
    st.sidebar.markdown(f":material/balance: **Tieout** · {formats.md(console.model.company)}")


def search_box() -> None:
    """Show the search for any business key; what is found opens on its own page."""
    key = "search_key"
    text = st.sidebar.text_input(
        "Find a document or customer", key=key, type="search", placeholder="Number, id, PO number, name",
        help="Any business key of any platform: order, invoice, deal, customer.", on_change=_search, args=(key,),
    )  # fmt: skip
    if text and st.session_state.pop(_SEARCHED, False):
        st.switch_page(path("search"), query_params={"key": text})


def _search(key: str) -> None:
    st.session_state[_SEARCHED] = bool(st.session_state[key])


def show(name: str, render: Callable[[Console, View], None]) -> None:
    """Run a page inside its frame. A page that fails says so in words; the log has the traceback."""
    console = current()
    restore(name)
    view = read_view(console)
    try:
        render(console, view)
    except (SQLAlchemyError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
        log.error("page %s failed", name, exc_info=error)
        st.error("This page could not be computed. The console's log has the reason; other pages are not affected.")
    redraw_when_changed(console, view.live)
