"""The columns of frames: one dimension of 64-bit integers, booleans or objects, and what stands for a missing integer."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

NONE = -(2**63)
"""A missing integer inside frames; the database holds NULL. An instant that has not come is `probes.clock.FOREVER`."""
