"""Where two records that should tell the same story do not: comparisons, and the breaks they open. Pure.

A comparison without a common basis (a missing amount, another currency) is no break. Only the revision in force is compared.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from probes.clock import FOREVER

from .arrays import NONE, Array
from .definitions import Flow, Step

_AMOUNTS = frozenset({"net", "tax", "gross"})
_KIND = {
    "currency": "currency_differs",
    "entity": "attribute_differs",
    "customer": "attribute_differs",
    "period": "period_differs",
}


def differences(step: Step, s: pd.DataFrame, r: pd.DataFrame) -> list[tuple[str, Array]]:
    """Return, per agreement of the step in its order, where the record differs from its anchor."""
    there = r["latest"].to_numpy() != FOREVER
    stated = pd.notna(s["currency"].to_numpy())  # two sides that name no currency have no common basis either
    same_currency = stated & (s["currency"].to_numpy() == r["r_currency"].to_numpy()) if "r_currency" in r else there
    found = []
    for agreement in step.agree:
        own, other = _sides(agreement.field, s, r)
        if own is None or other is None:
            continue
        if agreement.field in _AMOUNTS:
            known = (own != NONE) & (other != NONE) & same_currency
            gap = np.abs(np.where(known, other, 0) - np.where(known, own, 0))
            differs = known & (gap > agreement.tolerance)
        else:
            known = (own != NONE) & (other != NONE) & pd.notna(own) & pd.notna(other)
            differs = known & (own != other)
        found.append((agreement.field, np.asarray(there & differs)))
    return found


def _sides(field: str, s: pd.DataFrame, r: pd.DataFrame) -> tuple[Array | None, Array | None]:
    if field in _AMOUNTS:
        return s[field].to_numpy(), r[f"r_{field}"].to_numpy()
    if field == "customer":
        return s["payer"].to_numpy(), r["r_payer"].to_numpy()
    if field in ("currency", "entity"):
        own = s[field].replace("", None).to_numpy() if field == "entity" else s[field].to_numpy()
        other = r[f"r_{field}"].replace("", None).to_numpy() if field == "entity" else r[f"r_{field}"].to_numpy()
        return own, other
    return None, None  # attributes of master data are compared by metrics.master


def breaks(
    flow: Flow, step: Step, s: pd.DataFrame, r: pd.DataFrame, due: Array, state: Array, watermark_us: int
) -> pd.DataFrame:
    """Return the breaks of a step: absent counterparts once grace has passed, differing values, duplicates, former revisions."""
    if not step.path or step.optional:
        return pd.DataFrame()
    counted = s["last"].to_numpy() & s["exclusion"].isna().to_numpy()
    money = s["money"].to_numpy()
    rows = [_absent(step, s, r, due, state, counted, money, watermark_us)]
    for field, differs in differences(step, s, r):
        rows.append(_differing(step, field, s, r, differs & counted))
    twice = r["duplicate"].to_numpy() & counted
    rows.append(
        _rows(
            s,
            r,
            twice,
            "duplicate",
            "",
            None,
            None,
            np.where(r["amount"] == NONE, NONE, r["amount"].to_numpy() - np.where(money == NONE, 0, money)),
            r["latest"].to_numpy(),
        )
    )
    found = pd.concat([x for x in rows if len(x)], ignore_index=True) if any(len(x) for x in rows) else pd.DataFrame()
    return found.assign(check_name=f"{flow.name}.{step.name}") if len(found) else found


def _absent(
    step: Step, s: pd.DataFrame, r: pd.DataFrame, due: Array, state: Array, counted: Array, money: Array,
    watermark_us: int,
) -> pd.DataFrame:  # fmt: skip
    since = np.where(due == FOREVER, FOREVER, np.where(due == FOREVER, 0, due) + step.grace)
    closed = r["first_observed_us"].to_numpy()
    was = (state == "late") & (r["latest"].to_numpy() > since) & (closed > since) & (closed != FOREVER)
    is_ = (state == "lost") & counted & (since <= watermark_us)
    withdrawn = s["withdrawn_us"].to_numpy()
    left = (state == "excluded") & counted & (since <= watermark_us) & (withdrawn > since) & (withdrawn != FOREVER)
    stale = r["shown"].to_numpy() & (s["revision"].to_numpy() > 1)
    delta = delta_of(s, money)
    rows = [
        _rows(s, r, is_ & ~stale, "missing_in_target", "", None, None, money, since),
        _rows(s, r, is_ & stale, "stale_revision", "", s["revision"], None, delta, since),
        _rows(s, r, left & ~stale, "missing_in_target", "", None, None, money, since, withdrawn),
        _rows(s, r, left & stale, "stale_revision", "", s["revision"], None, delta, since, withdrawn),
        _rows(s, r, was & counted & ~stale, "missing_in_target", "", None, None, money, since, closed),
    ]
    return pd.concat([x for x in rows if len(x)], ignore_index=True) if any(len(x) for x in rows) else pd.DataFrame()


def delta_of(s: pd.DataFrame, money: Array) -> Array:
    """Return by how much each revision differs from the one before it; subjects are sorted by anchor and revision."""
    before = s.assign(money=money).groupby(["anchor_id", "entity"], sort=False)["money"].shift(1, fill_value=NONE)
    known = (before.to_numpy() != NONE) & (money != NONE)
    return np.where(known, np.abs(np.where(known, money, 0) - np.where(known, before.to_numpy(), 0)), money)


def _differing(step: Step, field: str, s: pd.DataFrame, r: pd.DataFrame, differs: Array) -> pd.DataFrame:
    own, other = _sides(field, s, r)
    assert own is not None
    assert other is not None
    kind = _KIND.get(field, "amount_differs")
    amount = np.where(differs, np.abs(other - own), NONE) if field in _AMOUNTS else s["money"].to_numpy()
    return _rows(
        s, r, differs, kind, field, own, other, amount, np.maximum(r["latest"].to_numpy(), s["start_us"].to_numpy())
    )


def _rows(
    s: pd.DataFrame,
    r: pd.DataFrame,
    where: Array,
    kind: str,
    field: str,
    expected: object,
    actual: object,
    money: Array,
    since: Array,
    closed: Array | None = None,
) -> pd.DataFrame:
    if not where.any():
        return pd.DataFrame()
    pick = s[where]

    def word(values: Any) -> list[str | None]:
        return [None if pd.isna(v) or v == NONE else str(v) for v in np.asarray(values)[where]]

    return pd.DataFrame(
        {
            "subject_id": pick["anchor_id"].to_numpy(),
            "revision": pick["revision"].to_numpy(),
            "entity": pick["entity"].to_numpy(),
            "kind": kind,
            "field": field,
            "counterpart_id": r["record_id"].to_numpy()[where],
            "customer_id": pick["customer_id"].to_numpy(),
            "expected": None if expected is None else word(expected),
            "actual": None if actual is None else word(actual),
            "money_minor": money[where],
            "currency": pick["currency"].to_numpy(),
            "since_us": since[where],
            "closed_us": np.full(len(pick), FOREVER) if closed is None else closed[where],
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
