"""When are the steps and the SLIs of some subjects due? Their deadlines, from what was reached. Pure: frames in, arrays out."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from probes.clock import FOREVER

from .arrays import Array
from .deadline import Schedules, due_at
from .definitions import Flow, Sli, Step

Reached = Mapping[str, pd.DataFrame]


def step_due(flow: Flow, step: Step, s: pd.DataFrame, reached: Reached, schedules: Schedules) -> Array:
    """Return when a step is due: its deadline after the step it follows, FOREVER without one."""
    if step.within is None or step.after is None:
        return np.full(len(s), FOREVER)
    start = reached[step.after]["latest"].to_numpy()
    return due_at(step.within, start, s["entity"].to_numpy(), schedules, flow.role(step))


def sli_due(flow: Flow, sli: Sli, s: pd.DataFrame, reached: Reached, schedules: Schedules) -> Array:
    """Return when an event SLI decides: its own deadline, else that of its step, after its start."""
    step, start = flow.step(sli.stop or ""), reached[sli.start or ""]["latest"].to_numpy()
    within = sli.within or step.within
    assert within is not None  # an event SLI without a deadline is not loaded
    return due_at(within, start, s["entity"].to_numpy(), schedules, flow.role(step))
