"""Which subjects the anchors of a flow make: one per revision and legal entity, each with its own clock and money.

Pure: frames in, frame out. A revision begins when the anchor's own history enters the winning state, or changes its amount
while in it; an anchor without history has one, timed by the milestone itself.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from probes.clock import FOREVER

from .arrays import NONE, Array
from .definitions import Flow
from .gather import Frames, anchor_milestone


def subjects(flow: Flow, frames: Frames, active: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return one row per (anchor, revision, legal entity) that has started.

    Shape: anchor_id, revision, last (is it the newest revision), entity, split, stream_id, customer_id, payer, currency, money,
    net, tax, gross, start_earliest, start_us, withdrawn_us, superseded_us, test, exempt, unmapped, document_on, version_count;
    sorted by anchor, revision, entity.
    """
    anchors = frames.anchors
    revised = _revisions(flow, frames, active)
    rows = revised.merge(
        anchors.rename(columns={"id": "anchor_id"}).drop(columns="bulk"), on="anchor_id", how="inner", sort=False
    )
    if flow.anchor.state:
        rows = rows[rows["state"].isin(flow.anchor.state)]
    if flow.anchor.not_state:
        rows = rows[~rows["state"].isin(flow.anchor.not_state)]
    rows = _split(rows, frames.lines)
    own = rows[flow.anchor.amount].to_numpy() if flow.anchor.amount else np.full(len(rows), NONE)
    money = np.where(rows["amount"].to_numpy() == NONE, own, rows["amount"].to_numpy())
    money = np.where(rows["split"].to_numpy(), rows["split_amount"].to_numpy(), money)
    gone = rows["state"].isin(flow.anchor.withdrawn).to_numpy() & ~rows["from_history"].to_numpy()
    withdrawn = np.minimum(rows["withdrawn_us"].to_numpy(), rows["deleted_us"].to_numpy())
    withdrawn = np.where(gone, np.minimum(withdrawn, rows["gone_us"].to_numpy()), withdrawn)
    rows = rows.assign(money=money, withdrawn_us=withdrawn)
    if flow.anchor.amount == "net":
        rows = rows.assign(net=money)
    return rows.sort_values(["anchor_id", "revision", "entity"], kind="stable", ignore_index=True)


def _revisions(flow: Flow, frames: Frames, active: pd.DataFrame | None) -> pd.DataFrame:
    first = flow.steps[0]
    anchors = frames.anchors
    if flow.anchor.active:
        assert active is not None
        plain = pd.DataFrame({"anchor_id": active["subject"], "start_earliest": active["at"], "start_us": active["at"]})
        plain = plain.assign(bulk=False)
    else:
        plain = pd.DataFrame(
            {
                "anchor_id": anchors["id"],
                "start_earliest": anchor_milestone(flow, anchors, first, "earliest"),
                "start_us": anchor_milestone(flow, anchors, first, "latest"),
                "bulk": anchors["bulk"] != 0,
            }
        )
    plain = plain[plain["start_us"] != FOREVER]
    plain = plain.assign(
        revision=1, last=True, amount=NONE, withdrawn_us=FOREVER, superseded_us=FOREVER, from_history=False
    )
    if flow.revisions is None or frames.history is None:
        return plain
    told = _from_history(frames.history, flow.revisions.state)
    return pd.concat([told, plain[~plain["anchor_id"].isin(told["anchor_id"])]], ignore_index=True)


def _from_history(history: pd.DataFrame, winning: str) -> pd.DataFrame:
    """Return the revisions that the history rows (sorted by anchor and time) tell."""
    h = history[(history["deleted_us"] == FOREVER) & (history["created_us"] != FOREVER)]
    anchor, net = h["subject"].to_numpy(), h["net"].to_numpy()
    won = (h["state"] == winning).to_numpy()
    same = np.r_[False, anchor[1:] == anchor[:-1]] if len(h) else np.zeros(0, dtype=bool)
    before_won = same & np.r_[False, won[:-1]] if len(h) else won
    same_net = same & np.r_[False, net[1:] == net[:-1]] if len(h) else won
    starts = won & ~(before_won & same_net)
    number = pd.Series(starts).groupby(anchor).cumsum().to_numpy()
    rows = pd.DataFrame(
        {
            "anchor_id": anchor,
            "revision": number,
            "won": won,
            "starts": starts,
            "at": h["created_us"].to_numpy(),
            "net": net,
            "bulk": (h["bulk"] != 0).to_numpy(),
        }
    )
    begun = rows[rows["starts"]]
    left = rows[~rows["won"] & (rows["revision"] > 0)].drop_duplicates(["anchor_id", "revision"])
    begun = begun.merge(
        left[["anchor_id", "revision", "at"]].rename(columns={"at": "withdrawn_us"}),
        how="left",
        on=["anchor_id", "revision"],
    )
    following = begun.groupby("anchor_id")["at"].shift(-1)
    return pd.DataFrame(
        {
            "anchor_id": begun["anchor_id"],
            "start_earliest": begun["at"],
            "start_us": begun["at"],
            "revision": begun["revision"].astype(np.int64),
            "last": following.isna(),
            "amount": begun["net"],
            "withdrawn_us": _whole(begun["withdrawn_us"]),
            "superseded_us": _whole(following),
            "from_history": True,
            "bulk": begun["bulk"],
        }
    )


def _whole(values: pd.Series) -> Array:
    """Return instants as integers, FOREVER where missing. Microseconds since 1970 are exact in a double until 2255."""
    missing = values.isna().to_numpy()
    return np.where(missing, FOREVER, np.where(missing, 0, values.to_numpy(dtype=float)).astype(np.int64))


def _split(rows: pd.DataFrame, lines: pd.DataFrame | None) -> pd.DataFrame:
    """Make one row per legal entity named on the lines; an anchor whose lines name one entity, or none, stays whole."""
    whole = rows.assign(split=False, split_amount=NONE)
    if lines is None or lines.empty:
        return whole
    named = lines[(lines["deleted_us"] == FOREVER) & (lines["entity"] != "")]
    named = named.assign(known=named["net"] != NONE)
    sums = named.groupby(["subject", "entity"], sort=True, as_index=False).agg({"net": "sum", "known": "all"})
    sums = sums.assign(net=np.where(sums["known"], sums["net"], NONE)).drop(columns=["known"])
    several = sums.groupby("subject")["entity"].transform("size") > 1
    parts = sums[several].rename(columns={"subject": "anchor_id", "net": "split_amount", "entity": "part"})
    if parts.empty:
        return whole
    divided = whole[whole["anchor_id"].isin(parts["anchor_id"])].drop(columns=["split_amount"])
    divided = divided.merge(parts, on="anchor_id").assign(split=True)
    divided = divided.assign(entity=divided["part"]).drop(columns=["part"])
    return pd.concat([whole[~whole["anchor_id"].isin(parts["anchor_id"])], divided], ignore_index=True)
