"""When each subject reached a step, by which record, and what that record says. Pure: frames in, frame out."""

from __future__ import annotations

import numpy as np
import pandas as pd

from probes.clock import FOREVER

from .arrays import NONE, Array
from .definitions import Flow, Step
from .gather import Frames, anchor_milestone
from .revised import timed_by_revision
from .telling import said_at

AMOUNTS = ("net", "tax", "gross")
SHARING = ("parts", "covered")
"""Ways to take a step in which several records share the anchor's amount."""
WORDS = ("currency", "entity", "posting_on")
_R_WORDS = tuple(f"r_{word}" for word in WORDS)


def reach(
    flow: Flow, step: Step, s: pd.DataFrame, frames: Frames, due: Array | None = None, *, only_then: bool = False
) -> pd.DataFrame:
    """Return per subject what a step shows, in the order of the subjects.

    Shape: earliest, latest (FOREVER: not reached), record_id (NONE), count, amount, first_observed_us, unmapped, shown (a record
    exists, whatever milestone it lacks), shown_us and shown_seen_us (since when, and when it was first observed), duplicate,
    r_net, r_tax, r_gross, r_currency, r_entity, r_posting_on, r_payer.
    With `due`, what the records say is as it was then, and none that came or went later counts; the instants stay. With
    `only_then` besides, those that came later are not known yet.
    """
    if not step.path:
        return _anchor_itself(flow, step, s, frames)
    versions = frames.versions.get(step.name)
    rows = matches(step, s, frames, due)
    if due is not None and versions is not None:
        rows = _as_of(rows, due, versions)
    if only_then and due is not None:
        rows = rows[rows["own_us"].to_numpy() <= due[rows["sid"].to_numpy()]]
    rows = _of_the_revision(rows)
    unmapped = _flags(s, rows.loc[rows["unmapped"] != 0, "sid"])
    rows = rows[(rows["unmapped"] == 0) & in_state(step, rows)]
    since = {
        f"shown_{word}": _first(s, rows, column)
        for word, column in (("us", "own_us"), ("seen_us", "first_observed_us"))
    }
    hits = rows[rows["latest"] != FOREVER].sort_values(["sid", "latest", "id"], kind="stable")
    counted = hits if due is None else hits[hits["latest"].to_numpy() <= due[hits["sid"].to_numpy()]]
    out = _place(s, _choose(step, counted if only_then else hits, s))
    sums = _sums(step, counted, s)
    out = out.assign(unmapped=unmapped, shown=_flags(s, rows["sid"]), **since, **sums)
    if step.take in SHARING and step.amount:
        out = _together(step, out, counted, s)
    return out.assign(duplicate=_duplicates(step, out, sums, s))


def _first(s: pd.DataFrame, rows: pd.DataFrame, column: str) -> Array:
    """Return the least of a column per subject, FOREVER without one."""
    least = np.full(len(s), FOREVER)
    np.minimum.at(least, rows["sid"].to_numpy(), rows[column].to_numpy())
    return least


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
            "shown_us": latest,
            "shown_seen_us": latest,
            "duplicate": False,
            "group": None,
        }
    )


def matches(step: Step, s: pd.DataFrame, frames: Frames, due: Array | None = None) -> pd.DataFrame:
    """Return one row per (subject, record) of the right entity: those that live, or lived when due.

    Shape: as a step's rows, with the record's own amounts and words as r_*, timed for the subject's revision; own_us: since when
    it exists, 0 without a date.
    """
    rows = frames.steps[step.name]
    live = rows[rows["deleted_us"] == FOREVER] if due is None else rows
    wanted = ["sid", "anchor_id", "entity", "split", "revision", "base", "base_us", "money"]
    m = s[wanted].assign(own_currency=s["currency"]).merge(
        live.rename(columns={"entity": "r_entity"}), left_on="anchor_id", right_on="subject", sort=False
    )  # fmt: skip
    if due is not None:
        gone = m["deleted_us"].to_numpy()
        m = m[(gone == FOREVER) | (gone > due[m["sid"].to_numpy()])]
    if step.per_entity:
        m = m[(~m["split"]) | (m["entity"] == m["r_entity"])]
    m = m.rename(columns={c: f"r_{c}" for c in (*AMOUNTS, "currency", "posting_on", "payer")})
    m = m.assign(own_us=np.where(m["latest"] == FOREVER, 0, m["latest"]))
    if step.revision and (m["revision"] > 1).any():
        m = timed_by_revision(step, m, frames.revisions[step.name], frames.versions.get(step.name))
    grouped = frames.groups.get(step.name)
    return m if grouped is None or grouped.empty else _with_groups(s, m, grouped)


def _with_groups(s: pd.DataFrame, rows: pd.DataFrame, groups: pd.DataFrame) -> pd.DataFrame:
    """Add the group postings to the records that reach a step; what a group says of one member's amounts is nothing."""
    live = groups[groups["deleted_us"] == FOREVER]
    extra = s[["sid", "anchor_id"]].merge(live, left_on="anchor_id", right_on="subject", sort=False)
    extra = extra.assign(revision=1, own_us=0, r_payer=NONE, **{f"r_{a}": NONE for a in AMOUNTS}).assign(
        **dict.fromkeys(_R_WORDS)
    )
    return pd.concat([rows.assign(group=None), extra], ignore_index=True)


def _as_of(rows: pd.DataFrame, due: Array, versions: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with what their records said when due; a record's first version speaks for the time before it."""
    many = rows["id"].isin(versions["id"]).to_numpy()
    if not many.any():
        return rows
    then = said_at(rows["id"].to_numpy()[many], due[rows["sid"].to_numpy()[many]], versions)
    rows = rows.copy()
    for column in (
        *[f"r_{a}" for a in AMOUNTS],
        "r_currency",
        "r_entity",
        "r_payer",
        "state",
        "unmapped",
        "shown_revision",
    ):
        rows.loc[many, column] = then[column.removeprefix("r_")].to_numpy()
    return rows


def _of_the_revision(rows: pd.DataFrame) -> pd.DataFrame:
    """Forget the amounts of records that already show a later revision: with the subject's own they have no common basis."""
    later = (rows["shown_revision"] > rows["revision"]).to_numpy()
    if not later.any():
        return rows
    return rows.assign(**{f"r_{a}": np.where(later, NONE, rows[f"r_{a}"].to_numpy()) for a in AMOUNTS})


def in_state(step: Step, rows: pd.DataFrame) -> Array:
    """Return where a record is in a state that counts for a step."""
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
    amount = _amounts(step, hits, s)
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


def _amounts(step: Step, hits: pd.DataFrame, s: pd.DataFrame) -> Array:
    """Return what each record carries of the anchor's money; unknown when it is in another currency."""
    if not step.amount:
        return np.full(len(hits), NONE)
    column = "applied" if step.amount == "applied" else f"r_{step.amount}"
    return np.where(_foreign(step, hits, s), NONE, hits[column].to_numpy())


def _foreign(step: Step, hits: pd.DataFrame, s: pd.DataFrame) -> Array:
    """Return where a record is in another currency than its anchor."""
    theirs = hits["applied_currency" if step.amount == "applied" else "r_currency"].to_numpy()
    own = s["currency"].to_numpy()[hits["sid"].to_numpy()]
    return np.asarray(pd.notna(theirs) & pd.notna(own) & (theirs != own))


def _together(step: Step, out: pd.DataFrame, counted: pd.DataFrame, s: pd.DataFrame) -> pd.DataFrame:
    """Let records that share an amount speak as one: their sum, and the currency of one that is not the anchor's."""
    if step.amount == "net":
        out = out.assign(r_net=np.where(out["count"] > 1, out["amount"], out["r_net"]))
    foreign = counted[_foreign(step, counted, s)].drop_duplicates("sid")
    there = foreign[out["latest"].to_numpy()[foreign["sid"].to_numpy()] != FOREVER]
    out.loc[there["sid"].to_numpy(), "r_currency"] = there["r_currency"].to_numpy()
    return out


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
    amount = _amounts(step, hits, s)
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
