"""The pieces that pages are made of: headings with their instant, states, numbers that open into records, tables.

Foreign text reaches the page only through `formats.md` or as a table cell. Nothing is read or computed here.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from . import formats
from .frame import View
from .states import KNOWN, cell, colour_of, look

ROWS_SHOWN = 15
MEASURED = 5
"""By so many rows the browser tells how wide a column must be."""
WIDEST, TIME_WIDTH = 440, 136
_NOTHING = (None, "", formats.NONE)
Rows = Sequence[Mapping[str, Any]]


def heading(title: str, question: str, view: View, horizon_us: int | None = None) -> None:
    """Show a page's title, the question it answers, and the instants its figures are of."""
    st.title(formats.md(title), anchor=False)
    parts = [question, f"As of **{view.instant(view.shown_us, seconds=True)}** {_zone(view)}"]
    if horizon_us is not None:
        lag = formats.duration(max(view.shown_us - horizon_us, 0))
        parts.append(f"known up to **{view.instant(horizon_us, seconds=True)}** ({lag} before)")
    if not view.live:
        parts.append("**a past instant**: attributes are the latest known")
    exact = f"UTC: as of {formats.utc(view.shown_us)}" + (
        f", known up to {formats.utc(horizon_us)}" if horizon_us else ""
    )
    st.caption(" · ".join(parts), help=exact)


def _zone(view: View) -> str:
    return formats.md(view.zone.key.replace("_", " "))


def state_badge(state: str, help: str | None = None) -> None:
    """Show a state as word, icon and colour."""
    shown = look(state)
    st.badge(shown.word, icon=shown.icon, color=shown.colour, help=help)


def number(label: str, page: str, params: Mapping[str, str], help: str | None = None, colour: str = "blue") -> None:
    """Show a number that opens into the records behind it. `label` is our own text, foreign parts escaped."""
    st.page_link(page, label=f":{colour}[{label}]", query_params=dict(params), help=help)


def count_of(n: int, state: str, page: str, params: Mapping[str, str], help: str | None = None) -> None:
    """Show how many are in a state, as a link to them; in the state's colour when there are any."""
    shown = look(state)
    number(f"**{formats.count(n)}** {shown.word}", page, params, help, shown.colour if n else "gray")


def empty(text: str) -> None:
    """Say that there is nothing to show, and why."""
    st.caption(text)


def table(
    rows: Rows,
    *,
    key: str,
    view: View,
    states: Sequence[str] = (),
    times: Sequence[str] = (),
    links: Mapping[str, str] | None = None,
    numbers: Sequence[str] = (),
    hidden: Sequence[str] = (),
    opens: Callable[[Mapping[str, Any]], tuple[str, dict[str, str]] | None] | None = None,
    height: int | None = None,
    total: int | None = None,
    full: Callable[[], Rows] | None = None,
    seconds: bool = False,
) -> None:
    """Show rows. `states` are columns holding our state words, `times` columns holding `_us`, `links` columns holding URLs.

    `opens` says which page a selected row leads to. `full` yields all rows for the download when these are one page of it.
    A column in which no row says anything takes no room; the download has it.
    """
    if not rows:
        return
    told = [c for c in rows[0] if c not in hidden]
    shown = [c for c in told if any(r[c] not in _NOTHING for r in rows)] or told
    frame = pd.DataFrame([{c: _cell(c, r[c], states, times) for c in shown} for r in rows], columns=shown)
    styled = frame.style.map(lambda text: _tint(text, view.dark), subset=[c for c in states if c in shown])
    options: dict[str, Any] = {"on_select": "rerun", "selection_mode": "single-row"} if opens else {}
    chosen = st.dataframe(
        styled,
        key=key,
        hide_index=True,
        height=height or ("content" if len(rows) <= ROWS_SHOWN else 36 * ROWS_SHOWN),
        placeholder=formats.NONE,
        column_config=_columns(frame, times, links or {}, numbers, view, seconds),
        **options,
    )
    _below(rows, key, total, full, times, hidden, bool(opens))
    if opens and (selected := chosen.selection.rows) and (target := opens(rows[selected[0]])):
        st.switch_page(target[0], query_params=target[1])


def _cell(column: str, value: Any, states: Sequence[str], times: Sequence[str]) -> Any:
    if column in states:
        return "" if value is None else cell(str(value))
    if column in times:
        return None if value is None else pd.Timestamp(value, unit="us", tz="UTC")
    return formats.plain(value) if isinstance(value, str) and column != "link" else value


def _tint(text: str, dark: bool) -> str:
    return f"color: {_TINTS[dark].get(text, 'inherit')}"


def _columns(
    frame: pd.DataFrame,
    times: Sequence[str],
    links: Mapping[str, str],
    numbers: Sequence[str],
    view: View,
    seconds: bool,
) -> dict[str, Any]:
    config: dict[str, Any] = {}
    for column in frame.columns:
        width = _width(frame[column])
        if column in times:
            shape = "D MMM YYYY, HH:mm:ss" if seconds else "D MMM YYYY, HH:mm"
            width = TIME_WIDTH if pd.isna(frame[column].iloc[:MEASURED]).all() else None
            config[column] = st.column_config.DatetimeColumn(column, format=shape, timezone=view.zone.key, width=width)
        elif column in links:
            config[column] = st.column_config.LinkColumn("Link", display_text=links[column])
        elif column in numbers:
            config[column] = st.column_config.NumberColumn(column, format="localized")
        elif width is not None:
            config[column] = st.column_config.TextColumn(column, width=width)
    return config


def _width(cells: pd.Series[Any]) -> int | None:
    """Return the pixels a text column needs, None where the browser will see so itself: it measures only the first rows."""
    lengths = [len(c) if isinstance(c, str) else 0 for c in cells]
    longest = max(lengths)
    return min(longest * 57 // 10 + 16, WIDEST) if longest > max(lengths[:MEASURED]) else None


def _below(
    rows: Rows,
    key: str,
    total: int | None,
    full: Callable[[], Rows] | None,
    times: Sequence[str],
    hidden: Sequence[str],
    opens: bool,
) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        many = len(rows) if total is None else total
        note = formats.plural(many, "row") + (f", the first {len(rows):,} shown" if many > len(rows) else "")
        st.caption(note + (" · select a row to open it" if opens else ""))
        st.download_button(
            "CSV", lambda: csv_text(full() if full else rows, times, hidden), f"tieout-{key}.csv", "text/csv", key=f"csv_{key}",
            type="tertiary", icon=":material/download:", on_click="ignore", help="All rows, exact values, instants in UTC",
        )  # fmt: skip


def csv_text(rows: Rows, times: Sequence[str] = (), hidden: Sequence[str] = ()) -> str:
    """Return rows as CSV without formulas; instants as UTC text."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = [c for c in rows[0] if c not in hidden] if rows else []
    writer.writerow(formats.csv_cell(n) for n in names)
    for row in rows:
        cells = (formats.utc(row[c]) if c in times and row[c] is not None else row[c] for c in names)
        writer.writerow(formats.csv_cell(value) for value in cells)
    return out.getvalue()


def _tints(dark: bool) -> dict[str, str]:
    return {cell(state): colour_of(state, dark) for state in KNOWN}


_TINTS = {dark: _tints(dark) for dark in (False, True)}
