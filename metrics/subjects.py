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
    net, tax, gross, start_earliest, start_us, withdrawn_us, superseded_us, base, base_us (the first of the revisions that asked
    for the same money in a row, and its start), test, exempt, unmapped, document_on, version_count; sorted by anchor, revision,
    entity.
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
    told = (rows["amount"] != NONE) & ~rows["split"]  # only then is the money that of the history
    rows = rows.assign(currency=np.where(told, rows["told_currency"], rows["currency"]))
    own = rows[flow.anchor.amount].to_numpy() if flow.anchor.amount else np.full(len(rows), NONE)
    money = np.where(rows["amount"].to_numpy() == NONE, own, rows["amount"].to_numpy())
    money = np.where(rows["split"].to_numpy(), rows["split_amount"].to_numpy(), money)
    gone = rows["state"].isin(flow.anchor.withdrawn).to_numpy() & ~rows["from_history"].to_numpy()
    withdrawn = np.minimum(rows["withdrawn_us"].to_numpy(), rows["deleted_us"].to_numpy())
    withdrawn = np.where(gone, np.minimum(withdrawn, rows["gone_us"].to_numpy()), withdrawn)
    rows = rows.assign(money=money, withdrawn_us=withdrawn)
    if flow.anchor.amount == "net":
        rows = rows.assign(net=money)
    return _based(rows.sort_values(["anchor_id", "revision", "entity"], kind="stable", ignore_index=True))


def same_again(s: pd.DataFrame) -> Array:
    """Return where a revision asks for the same money as the one before it; subjects are sorted by anchor and revision."""
    money, currency = s["money"].to_numpy(), s["currency"].fillna("")
    of = [s["anchor_id"], s["entity"]]
    follows = s.groupby(of, sort=False).cumcount().to_numpy() > 0
    before = s.groupby(of, sort=False)["money"].shift(1, fill_value=NONE).to_numpy()
    same_currency = (currency.groupby(of, sort=False).shift(1, fill_value="") == currency).to_numpy()
    return np.asarray(follows & (before == money) & same_currency)


def _based(s: pd.DataFrame) -> pd.DataFrame:
    """Add the first of the revisions in a row that ask for the same money: who shows that one shows them all."""
    if not (s["revision"] > 1).any():
        return s.assign(base=s["revision"], base_us=s["start_us"])
    places = pd.Series(np.arange(len(s)), index=s.index).where(~same_again(s))
    first = places.groupby([s["anchor_id"], s["entity"]], sort=False).ffill().to_numpy(dtype=np.int64)
    return s.assign(base=s["revision"].to_numpy()[first], base_us=s["start_us"].to_numpy()[first])


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
        revision=1,
        last=True,
        amount=NONE,
        told_currency=None,
        withdrawn_us=FOREVER,
        superseded_us=FOREVER,
        from_history=False,
    )
    if flow.revisions is None or frames.history is None:
        return plain
    told = _from_history(frames.history, anchors, flow.revisions.state)
    return pd.concat([told, plain[~plain["anchor_id"].isin(told["anchor_id"])]], ignore_index=True)


def _from_history(history: pd.DataFrame, anchors: pd.DataFrame, winning: str) -> pd.DataFrame:
    """Return the revisions that the history rows (sorted by anchor and time) tell; a row without a currency means the anchor's."""
    h = history[(history["deleted_us"] == FOREVER) & (history["created_us"] != FOREVER)]
    anchor, net = h["subject"].to_numpy(), h["net"].to_numpy()
    stated = h["currency"].where(h["currency"].notna(), h["subject"].map(anchors.set_index("id")["currency"]))
    currency = stated.where(stated.notna(), None).to_numpy(dtype=object)
    won = (h["state"] == winning).to_numpy()
    same = np.r_[False, anchor[1:] == anchor[:-1]] if len(h) else np.zeros(0, dtype=bool)
    before_won = same & np.r_[False, won[:-1]] if len(h) else won
    same_net = same & np.r_[False, (net[1:] == net[:-1]) & (currency[1:] == currency[:-1])] if len(h) else won
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
            "currency": currency,
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
            "told_currency": begun["currency"],
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
    """Make one row per legal entity named on the lines; an anchor whose lines name one entity, or none, stays whole.

    What lines of another currency than the anchor's amount to is not known: sums never mix currencies.
    """
    whole = rows.assign(split=False, split_amount=NONE)
    if lines is None or lines.empty:
        return whole
    named = lines[(lines["deleted_us"] == FOREVER) & (lines["entity"] != "")]
    own = named["subject"].map(rows.drop_duplicates("anchor_id").set_index("anchor_id")["currency"])
    foreign = named["currency"].notna() & own.notna() & (named["currency"] != own)
    named = named.assign(known=(named["net"] != NONE) & ~foreign)
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
