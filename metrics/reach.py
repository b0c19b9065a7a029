"""When each subject reached a step, by which record, and what that record says. Pure: frames in, frame out."""

from __future__ import annotations

import numpy as np
import pandas as pd

from probes.clock import FOREVER

from .arrays import NONE, Array
from .definitions import Flow, Step
from .gather import Frames, anchor_milestone

AMOUNTS = ("net", "tax", "gross")
WORDS = ("currency", "entity", "posting_on")
_R_WORDS = tuple(f"r_{word}" for word in WORDS)


def reach(flow: Flow, step: Step, s: pd.DataFrame, frames: Frames, due: Array | None = None) -> pd.DataFrame:
    """Return per subject what a step shows, in the order of the subjects.

    Shape: earliest, latest (FOREVER: not reached), record_id (NONE), count, amount, first_observed_us, unmapped, shown (a record
    exists, whatever milestone it lacks), duplicate, r_net, r_tax, r_gross, r_currency, r_entity, r_posting_on, r_payer.
    With `due`, what the records say is as it was then, and none that came or went later counts; the instants stay.
    """
    if not step.path:
        return _anchor_itself(flow, step, s, frames)
    rows = _matches(step, s, frames.steps[step.name], frames.revisions.get(step.name), due)
    if due is not None and step.name in frames.versions:
        rows = _as_of(rows, due, frames.versions[step.name])
    if step.name in frames.groups and len(frames.groups[step.name]):
        rows = _with_groups(s, rows, frames.groups[step.name])
    rows = _of_the_revision(rows)
    unmapped = _flags(s, rows.loc[rows["unmapped"] != 0, "sid"])
    rows = rows[(rows["unmapped"] == 0) & _in_state(step, rows)]
    shown = _flags(s, rows["sid"])
    hits = rows[rows["latest"] != FOREVER].sort_values(["sid", "latest", "id"], kind="stable")
    chosen = _choose(step, hits, s)
    out = _place(s, chosen)
    sums = _sums(step, hits if due is None else hits[hits["latest"].to_numpy() <= due[hits["sid"].to_numpy()]], s)
    out = out.assign(unmapped=unmapped, shown=shown, **sums)
    if step.take in ("parts", "covered"):
        out = (
            out.assign(r_net=np.where(out["count"] > 1, sums["amount"], out["r_net"])) if step.amount == "net" else out
        )
    return out.assign(duplicate=_duplicates(step, out, sums, s))


def _anchor_itself(flow: Flow, step: Step, s: pd.DataFrame, frames: Frames) -> pd.DataFrame:
    if step is flow.steps[0]:
        earliest, latest = s["start_earliest"].to_numpy(), s["start_us"].to_numpy()
    else:
        at = np.searchsorted(frames.anchors["id"].to_numpy(), s["anchor_id"].to_numpy())
        earliest = anchor_milestone(flow, frames.anchors, step, "earliest")[at]
        latest = anchor_milestone(flow, frames.anchors, step, "latest")[at]
    there = latest != FOREVER
    return pd.DataFrame(
        {
            "earliest": earliest,
            "latest": latest,
            "record_id": np.where(there, s["anchor_id"], NONE),
            "count": there.astype(np.int64),
            "amount": np.where(there, s["money"], NONE),
            "first_observed_us": np.zeros(len(s), dtype=np.int64),
            "unmapped": s["unmapped"].to_numpy() != 0,
            "shown": there,
            "duplicate": False,
            "group": None,
        }
    )


def _matches(
    step: Step, s: pd.DataFrame, rows: pd.DataFrame, revisions: pd.DataFrame | None, due: Array | None
) -> pd.DataFrame:
    """Return one row per (subject, record): live records of the right entity, timed for the subject's revision."""
    live = rows[rows["deleted_us"] == FOREVER] if due is None else rows
    m = s[["sid", "anchor_id", "entity", "split", "revision"]].merge(
        live.rename(columns={"entity": "r_entity"}), left_on="anchor_id", right_on="subject", sort=False
    )
    if due is not None:
        gone = m["deleted_us"].to_numpy()
        m = m[(gone == FOREVER) | (gone > due[m["sid"].to_numpy()])]
    if step.per_entity:
        m = m[(~m["split"]) | (m["entity"] == m["r_entity"])]
    if step.revision and revisions is not None and (m["revision"] > 1).any():
        m = _timed_by_revision(m, revisions)
    return m.rename(columns={c: f"r_{c}" for c in (*AMOUNTS, "currency", "posting_on", "payer")})


def _with_groups(s: pd.DataFrame, rows: pd.DataFrame, groups: pd.DataFrame) -> pd.DataFrame:
    """Add the group postings to the records that reach a step; what a group says of one member's amounts is nothing."""
    live = groups[groups["deleted_us"] == FOREVER]
    extra = s[["sid", "anchor_id"]].merge(live, left_on="anchor_id", right_on="subject", sort=False)
    extra = extra.assign(revision=1, r_payer=NONE, **{f"r_{a}": NONE for a in AMOUNTS}).assign(
        **dict.fromkeys(_R_WORDS)
    )
    return pd.concat([rows.assign(group=None), extra], ignore_index=True)


def _timed_by_revision(m: pd.DataFrame, revisions: pd.DataFrame) -> pd.DataFrame:
    shown = revisions.drop_duplicates(["id", "ordinal"])[["id", "ordinal", "earliest_us", "latest_us"]]
    m = m.merge(shown, how="left", left_on=["id", "revision"], right_on=["id", "ordinal"])
    later, seen = (m["revision"] > 1).to_numpy(), ~m["ordinal"].isna().to_numpy()
    for column, own in (("earliest", "earliest_us"), ("latest", "latest_us")):
        at = m[own].fillna(0).to_numpy().astype(np.int64)
        m[column] = np.where(later, np.where(seen, at, FOREVER), m[column].to_numpy())
    return m


def _as_of(rows: pd.DataFrame, due: Array, versions: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with what their records said when due; a record's first version speaks for the time before it."""
    many = rows["id"].isin(versions["id"]).to_numpy()
    if not many.any():
        return rows
    old = rows[many]
    left = pd.DataFrame({"id": old["id"].to_numpy(), "at": due[old["sid"].to_numpy()], "row": old.index.to_numpy()})
    found = pd.merge_asof(
        left.sort_values("at", kind="stable"), versions.sort_values("order_us", kind="stable"), left_on="at", right_on="order_us",
        by="id",
    ).set_index("row")  # fmt: skip
    first = versions.drop_duplicates("id").set_index("id")
    rows = rows.copy()
    for column in (*[f"r_{a}" for a in AMOUNTS], "r_currency", "r_entity", "state", "unmapped", "shown_revision"):
        then = found[column]
        then = then.where(~found["order_us"].isna(), found["id"].map(first[column]))
        rows.loc[found.index, column] = then.astype(rows[column].dtype)
    return rows


def _of_the_revision(rows: pd.DataFrame) -> pd.DataFrame:
    """Forget the amounts of records that already show a later revision: with the subject's own they have no common basis."""
    later = (rows["shown_revision"] > rows["revision"]).to_numpy()
    if not later.any():
        return rows
    return rows.assign(**{f"r_{a}": np.where(later, NONE, rows[f"r_{a}"].to_numpy()) for a in AMOUNTS})


def _in_state(step: Step, rows: pd.DataFrame) -> Array:
    ok = np.ones(len(rows), dtype=bool)
    if step.state:
        ok &= rows["state"].isin(step.state).to_numpy()
    if step.not_state:
        ok &= ~rows["state"].isin(step.not_state).to_numpy()
    return ok


def _flags(s: pd.DataFrame, sids: pd.Series) -> Array:
    flags = np.zeros(len(s), dtype=bool)
    flags[sids.to_numpy()] = True
    return flags


def _choose(step: Step, hits: pd.DataFrame, s: pd.DataFrame) -> pd.DataFrame:
    if step.take == "last":
        return hits.drop_duplicates("sid", keep="last")
    if step.take == "first" or hits.empty:
        return hits.drop_duplicates("sid")
    amount = _amounts(step, hits)
    sid = hits["sid"].to_numpy()
    target = s["money"].to_numpy()[sid]
    comparable = (amount != NONE) & (target != NONE) & s["last"].to_numpy()[sid]
    running = pd.Series(np.where(amount == NONE, 0, amount)).groupby(sid).cumsum().to_numpy()
    covered = np.where(target >= 0, running >= target - step.tolerance, running <= target + step.tolerance)
    if step.take == "parts":
        alone = pd.Series(sid).groupby(sid).transform("size").to_numpy() == 1
        covered |= alone
    complete: pd.DataFrame = hits[covered | ~comparable]
    return complete.drop_duplicates("sid")


def _amounts(step: Step, hits: pd.DataFrame) -> Array:
    column = "applied" if step.amount == "applied" else f"r_{step.amount}"
    return np.asarray(hits[column]) if step.amount else np.full(len(hits), NONE)


def _place(s: pd.DataFrame, chosen: pd.DataFrame) -> pd.DataFrame:
    """Return the chosen records in the order of the subjects."""
    at = chosen["sid"].to_numpy()

    def column(name: str, missing: object, dtype: object) -> Array:
        out: Array = np.full(len(s), missing, dtype=dtype)
        out[at] = chosen[name].to_numpy()
        return out

    ints = {"earliest": FOREVER, "latest": FOREVER, "id": NONE, "first_observed_us": FOREVER, "r_payer": NONE}
    ints |= {f"r_{a}": NONE for a in AMOUNTS}
    placed = {name: column(name, missing, np.int64) for name, missing in ints.items()}
    placed |= {f"r_{w}": column(f"r_{w}", None, object) for w in WORDS}
    placed["group"] = column("group", None, object) if "group" in chosen else np.full(len(s), None, dtype=object)
    return pd.DataFrame(placed).rename(columns={"id": "record_id"})


def _sums(step: Step, hits: pd.DataFrame, s: pd.DataFrame) -> dict[str, Array]:
    sid = hits["sid"].to_numpy()
    count = np.bincount(sid, minlength=len(s))
    amount = _amounts(step, hits)
    total = np.zeros(len(s), dtype=np.int64)
    np.add.at(total, sid[amount != NONE], amount[amount != NONE])
    known = np.bincount(sid[amount != NONE], minlength=len(s)) > 0
    smallest = np.full(len(s), FOREVER)
    np.minimum.at(smallest, sid[amount != NONE], np.abs(amount[amount != NONE]))
    return {"count": count.astype(np.int64), "amount": np.where(known, total, NONE), "smallest": smallest}


def _duplicates(step: Step, out: pd.DataFrame, sums: dict[str, Array], s: pd.DataFrame) -> Array:
    """Return where a record is one too many: above the cardinality, or parts that would cover the anchor without one of them."""
    last = s["last"].to_numpy()
    if step.cardinality is not None:
        return np.asarray(last & (sums["count"] > step.cardinality))
    if step.take != "parts":
        return np.zeros(len(s), dtype=bool)
    money, total = np.abs(s["money"].to_numpy()), np.abs(sums["amount"])
    known = (s["money"].to_numpy() != NONE) & (sums["amount"] != NONE) & (money > 0)
    return np.asarray(last & known & (sums["count"] > 1) & (total - sums["smallest"] >= money - step.tolerance))
