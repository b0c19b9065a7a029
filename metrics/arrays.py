"""The type of a column: one dimension, 64-bit integers, booleans or objects."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
