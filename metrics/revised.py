"""Since when does a record show a revision of its anchor? Its own number says so, or when it was made, or what it is worth.

Where the target keeps no revision numbers, a record made since the revision began belongs to it, and one whose amount is the
revision's has followed it. Revisions in a row that ask for the same money are one to the target: who shows the first shows all.
Pure: frames in, frame out.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from probes.clock import FOREVER

from .arrays import NONE, Array
from .definitions import Step


def timed_by_revision(
    step: Step, rows: pd.DataFrame, revisions: pd.DataFrame, versions: pd.DataFrame | None
) -> pd.DataFrame:
    """Return the rows of (subject, record) with `earliest` and `latest` of the subject's revision, FOREVER if never shown."""
    rows = rows.reset_index(drop=True)
    later = (rows["base"] > 1).to_numpy()
    if not later.any():
        return rows
    own = np.where(_made_since(rows) | _worth(step, rows, versions), rows["latest"].to_numpy(), FOREVER)
    best = np.where(own == FOREVER, FOREVER, rows["earliest"].to_numpy()), own
    for other in (_by_number(rows, revisions), _by_change(step, rows, versions)):
        best = _sooner(best, other)
    earliest, latest = (
        np.where(later, at, rows[c].to_numpy()) for at, c in zip(best, ("earliest", "latest"), strict=True)
    )
    return rows.assign(earliest=earliest, latest=latest)


def _sooner(a: tuple[Array, Array], b: tuple[Array, Array]) -> tuple[Array, Array]:
    first = (a[1] < b[1]) | ((a[1] == b[1]) & (a[0] <= b[0]))
    return np.where(first, a[0], b[0]), np.where(first, a[1], b[1])


def _made_since(rows: pd.DataFrame) -> Array:
    """Return where a record that states no revision was made when the revision had begun."""
    made = rows["latest"].to_numpy()
    return np.asarray((rows["shown_revision"] == 0).to_numpy() & (made >= rows["base_us"].to_numpy()))


def _by_number(rows: pd.DataFrame, revisions: pd.DataFrame) -> tuple[Array, Array]:
    shown = revisions.drop_duplicates(["id", "ordinal"])[["id", "ordinal", "earliest_us", "latest_us"]]
    m = rows[["id", "base"]].merge(shown, how="left", left_on=["id", "base"], right_on=["id", "ordinal"])
    seen = m["ordinal"].notna().to_numpy()
    earliest, latest = (
        np.where(seen, m[c].where(seen, 0).to_numpy().astype(np.int64), FOREVER) for c in ("earliest_us", "latest_us")
    )
    return earliest, latest


def _worth(step: Step, rows: pd.DataFrame, versions: pd.DataFrame | None) -> Array:
    """Return where a record that never said anything else is worth what the revision asks for."""
    if step.amount is None:
        return np.zeros(len(rows), dtype=bool)
    changed = rows["id"].isin(versions["id"]).to_numpy() if versions is not None else np.zeros(len(rows), dtype=bool)
    return ~changed & _equal(rows, rows[f"r_{step.amount}"], rows["r_currency"])


def _equal(rows: pd.DataFrame, amount: pd.Series, currency: pd.Series) -> Array:
    money, own = rows["money"].to_numpy(), rows["own_currency"].to_numpy()
    foreign = pd.notna(own) & currency.notna().to_numpy() & (own != currency.to_numpy())
    return np.asarray((money != NONE) & (amount.to_numpy() == money) & ~foreign)


def _by_change(step: Step, rows: pd.DataFrame, versions: pd.DataFrame | None) -> tuple[Array, Array]:
    """Return when a record that changed first came to be worth what the revision asks for, and still was when it had begun."""
    never = np.full(len(rows), FOREVER)
    if versions is None or versions.empty or step.amount is None:
        return never, never
    told = versions[["id", "order_us", "earliest_us", step.amount, "currency"]]
    asked = rows.loc[rows["base"] > 1, ["id", "latest", "earliest", "base_us", "money", "own_currency"]]
    m = asked.assign(row=asked.index).merge(told, on="id", sort=False)  # versions of a row stay in their order
    if m.empty:
        return never, never
    row, equal = m["row"].to_numpy(), _equal(m, m[step.amount], m["currency"])
    same_row = np.r_[False, row[1:] == row[:-1]]
    begins = ~(same_row & np.r_[False, equal[1:] == equal[:-1]])
    runs = m[begins].assign(equal=equal[begins], first=~same_row[begins])
    at, rid = runs["order_us"].to_numpy(), runs["row"].to_numpy()
    until = np.r_[np.where(rid[1:] == rid[:-1], at[1:], FOREVER), np.full(min(len(runs), 1), FOREVER)]
    held = runs[runs["equal"].to_numpy() & (until > runs["base_us"].to_numpy())].drop_duplicates("row")
    made = held["first"].to_numpy()  # it was worth that from the start
    earliest, latest = never.copy(), never.copy()
    earliest[held["row"]] = np.where(made, held["earliest"], held["earliest_us"])
    latest[held["row"]] = np.where(made, held["latest"], held["order_us"])
    return np.where(latest == FOREVER, FOREVER, earliest), latest
