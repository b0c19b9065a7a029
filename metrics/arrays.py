"""The columns of frames: one dimension of 64-bit integers, booleans or objects, and what stands for a missing integer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

Array = np.ndarray[Any, Any]

NONE = -(2**63)
"""A missing integer inside frames; the database holds NULL. An instant that has not come is `probes.clock.FOREVER`."""


def frame_of(columns: Mapping[str, Array]) -> pd.DataFrame:
    """Return a frame whose words stay objects: pandas would make Arrow strings of them, and NaN of None."""
    plain = {n: pd.Series(v, dtype=object) if v.dtype == object else v for n, v in columns.items()}
    return pd.DataFrame(plain, copy=False)
