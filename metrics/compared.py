"""What is compared of an anchor and the record of a step, and does it differ? Pure.

A comparison without a common basis (a missing amount, another currency) is no difference.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from probes.clock import FOREVER

from .arrays import NONE, Array
from .definitions import Step

AMOUNTS = frozenset({"net", "tax", "gross"})
SIDES = ("net", "tax", "gross", "currency", "entity", "payer")
"""What an anchor and a record say that can be compared."""


def differences(step: Step, s: pd.DataFrame, r: pd.DataFrame) -> list[tuple[str, Array]]:
    """Return, per agreement of the step in its order, where the record differs from its anchor."""
    there = r["latest"].to_numpy() != FOREVER
    stated = pd.notna(s["currency"].to_numpy())  # two sides that name no currency have no common basis either
    same_currency = stated & (s["currency"].to_numpy() == r["r_currency"].to_numpy()) if "r_currency" in r else there
    found = []
    for agreement in step.agree:
        own, other = _both(agreement.field, s, r)
        if own is None or other is None:
            continue
        if agreement.field in AMOUNTS:
            known = (own != NONE) & (other != NONE) & same_currency
            gap = np.abs(np.where(known, other, 0) - np.where(known, own, 0))
            differs = known & (gap > agreement.tolerance)
        else:
            known = (own != NONE) & (other != NONE) & pd.notna(own) & pd.notna(other)
            differs = known & (own != other)
        found.append((agreement.field, np.asarray(there & differs)))
    return found


def _both(field: str, s: pd.DataFrame, r: pd.DataFrame) -> tuple[Array | None, Array | None]:
    if field in AMOUNTS:
        return s[field].to_numpy(), r[f"r_{field}"].to_numpy()
    if field == "customer":
        return s["payer"].to_numpy(), r["r_payer"].to_numpy()
    if field in ("currency", "entity"):
        own = s[field].replace("", None).to_numpy() if field == "entity" else s[field].to_numpy()
        other = r[f"r_{field}"].replace("", None).to_numpy() if field == "entity" else r[f"r_{field}"].to_numpy()
        return own, other
    return None, None  # attributes of master data are compared by metrics.master


def sides(field: str, s: pd.DataFrame, r: pd.DataFrame, row: int) -> tuple[str | None, str | None, int]:
    """Return what both sides of a difference say, and its money: by how much amounts differ, else all of it."""
    own, other = _both(field, s, r)
    money = int(s["money"].to_numpy()[row])
    if own is None or other is None:
        return None, None, money
    if field in AMOUNTS:
        money = abs(int(other[row]) - int(own[row]))
    return str(own[row]), str(other[row]), money
