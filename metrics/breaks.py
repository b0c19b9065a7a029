"""Which breaks a step opens and closes: absent counterparts, values that differ, duplicates, former revisions. Pure.

A break that closed stays, with when that was observed. Each time it opens anew is a row of its own.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from probes.clock import FOREVER

from .arrays import NONE, Array
from .definitions import Flow, Step
from .episodes import ABSENT, DUPLICATE, MISSING, STALE

_KIND = {
    "currency": "currency_differs",
    "entity": "attribute_differs",
    "customer": "attribute_differs",
    "period": "period_differs",
    DUPLICATE: "duplicate",
    MISSING: "missing_in_target",
    STALE: "stale_revision",
}
_WHOLE = (DUPLICATE, *ABSENT)
"""What no field is named for: it concerns the document as a whole."""


def breaks(
    flow: Flow, step: Step, s: pd.DataFrame, apart: pd.DataFrame, ripe: Array, state: Array, watermark_us: int
) -> pd.DataFrame:
    """Return the breaks of a step from its episodes: what differed, and what was absent once grace had passed (`ripe`)."""
    if apart.empty:
        return pd.DataFrame()
    counted = s["exclusion"].isna().to_numpy()
    if flow.anchor.active:  # watch start is for documents; a customer that trades must be there whenever it began to
        counted = counted | (s["exclusion"] == "before_watch_start").to_numpy()
    apart = apart[counted[apart["sid"].to_numpy(dtype=np.int64)]]
    absent = apart["field"].isin(ABSENT)
    rows = [_rows(s, apart[~absent]), _rows(s, _absent(s, apart[absent], ripe, state, watermark_us))]
    kept = [x for x in rows if len(x)]
    found = pd.concat(kept, ignore_index=True) if kept else pd.DataFrame()
    return found.assign(check_name=f"{flow.name}.{step.name}") if len(found) else found


def _absent(s: pd.DataFrame, apart: pd.DataFrame, ripe: Array, state: Array, watermark_us: int) -> pd.DataFrame:
    """Return the absences that outlasted grace: proven while they last, and until seen, withdrawn or superseded."""
    sid = apart["sid"].to_numpy(dtype=np.int64)
    since = np.maximum(apart["since_us"].to_numpy(dtype=np.int64), ripe[sid])
    until, withdrawn = apart["until_us"].to_numpy(dtype=np.int64), s["withdrawn_us"].to_numpy()[sid]
    closed = np.minimum(apart["closed_us"].to_numpy(dtype=np.int64), withdrawn)
    came = until < s["superseded_us"].to_numpy()[sid]
    proven = (since <= watermark_us) & np.isin(state[sid], ("lost", "late", "excluded"))
    stale = (apart["field"] == STALE).to_numpy()
    money = s["money"].to_numpy()
    told = apart.assign(
        since_us=since,
        closed_us=closed,
        expected=s["revision"].iloc[sid].astype(object).where(stale, None).to_numpy(),
        actual=None,
        money=np.where(stale, delta_of(s, money)[sid], money[sid]),
    )
    outlasted: pd.DataFrame = told[(since < until) & (since < closed) & (came | proven)]
    return outlasted


def delta_of(s: pd.DataFrame, money: Array) -> Array:
    """Return by how much each revision differs from the one before it, all of it in another currency.

    Subjects are sorted by anchor and revision.
    """
    of, currency = [s["anchor_id"], s["entity"]], s["currency"].fillna("")
    before = pd.Series(money, index=s.index).groupby(of, sort=False).shift(1, fill_value=NONE)
    comparable = (currency.groupby(of, sort=False).shift(1, fill_value="") == currency).to_numpy()
    known = (before.to_numpy() != NONE) & (money != NONE) & comparable
    return np.where(known, np.abs(np.where(known, money, 0) - np.where(known, before.to_numpy(), 0)), money)


def _rows(s: pd.DataFrame, apart: pd.DataFrame) -> pd.DataFrame:
    if apart.empty:
        return pd.DataFrame()
    pick = s.iloc[apart["sid"].to_numpy(dtype=np.int64)]
    kinds = [_KIND.get(field, "amount_differs") for field in apart["field"].tolist()]
    words = {c: [None if v is None else str(v) for v in apart[c].tolist()] for c in ("expected", "actual")}
    return pd.DataFrame(
        {
            "subject_id": pick["anchor_id"].to_numpy(),
            "revision": pick["revision"].to_numpy(),
            "entity": pick["entity"].to_numpy(),
            "kind": kinds,
            "field": ["" if field in _WHOLE else field for field in apart["field"].tolist()],
            "counterpart_id": apart["record_id"].to_numpy(dtype=np.int64),
            "customer_id": pick["customer_id"].to_numpy(),
            "expected": np.array(words["expected"], dtype=object),
            "actual": np.array(words["actual"], dtype=object),
            "money_minor": apart["money"].to_numpy(dtype=np.int64),
            "currency": apart["currency"].to_numpy(dtype=object),
            "since_us": apart["since_us"].to_numpy(dtype=np.int64),
            "closed_us": apart["closed_us"].to_numpy(dtype=np.int64),
        }
    )


def group_breaks(flow: Flow, step: Step, s: pd.DataFrame, groups: pd.DataFrame | None) -> pd.DataFrame:
    """Return one break per group posting that does not tie to its members. The subject is the group posting itself."""
    if groups is None or groups.empty:
        return pd.DataFrame()
    counted = set(s.loc[s["exclusion"].isna(), "anchor_id"].tolist())
    loose = groups[(groups["group"] != "tied") & groups["subject"].isin(counted)].drop_duplicates("id")
    return pd.DataFrame(
        {
            "subject_id": loose["id"].to_numpy(),
            "revision": np.ones(len(loose), dtype=np.int64),
            "entity": loose["entity"].to_numpy(),
            "kind": "amount_differs",
            "field": "group",
            "counterpart_id": loose["id"].to_numpy(),
            "customer_id": np.full(len(loose), NONE),
            "expected": [str(v) for v in loose["m_gross"].tolist()],
            "actual": [str(v) for v in loose["gross"].tolist()],
            "money_minor": loose["m_gross"].to_numpy() - loose["gross"].to_numpy(),
            "currency": loose["currency"].to_numpy(),
            "since_us": loose["latest"].to_numpy(),
            "closed_us": np.full(len(loose), FOREVER),
            "check_name": f"{flow.name}.{step.name}",
        }
    )
