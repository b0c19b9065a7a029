"""Which tables exist: facts that are only ever added to, heads derived from them, and verdicts that can be rebuilt.

Hot paths use `table(Model)` with Core statements; nothing here holds behaviour.
"""

from __future__ import annotations

from sqlalchemy import MetaData, Table
from sqlmodel import SQLModel

from .fact_tables import ConfigVersion, Lookup, PlatformRow, PollRun, Quarantine, SampleRow, StreamRow, VersionRow
from .head_tables import Burst, Counter, Crosswalk, Milestone, RecordKey, RecordRow, ReferenceRow, Scope, Touch
from .identity.tables import (
    IdentityBlock,
    IdentityDecision,
    IdentityDue,
    IdentityKey,
    IdentityModel,
    IdentityRefused,
    Suggestion,
)
from .verdict_tables import BreakRow, ExceptionRow, FlowInstance, FlowStep, SliEvent, SliRollup, StateInterval

__all__ = [
    "FACTS", "HEADS", "VERDICTS", "BreakRow", "Burst", "ConfigVersion", "Counter", "Crosswalk", "ExceptionRow",
    "FlowInstance", "FlowStep", "IdentityBlock", "IdentityDecision", "IdentityDue", "IdentityKey", "IdentityModel",
    "IdentityRefused", "Lookup", "Milestone", "PlatformRow", "PollRun", "Quarantine", "RecordKey",
    "RecordRow", "ReferenceRow", "SampleRow", "Scope", "SliEvent", "SliRollup", "StateInterval", "StreamRow", "Suggestion", "Touch",
    "VersionRow", "metadata", "table",
]  # fmt: skip

FACTS = (
    PlatformRow, StreamRow, PollRun, VersionRow, SampleRow, Quarantine, Lookup, ConfigVersion, IdentityDecision, IdentityModel,
)  # fmt: skip
HEADS = (RecordRow, Milestone, ReferenceRow, RecordKey, Scope, Burst, IdentityKey, IdentityRefused, Crosswalk)
VERDICTS = (FlowInstance, FlowStep, SliEvent, BreakRow, StateInterval, ExceptionRow, SliRollup)

metadata: MetaData = SQLModel.metadata


def table(model: type[SQLModel]) -> Table:
    """Return the Core table of a model, for hot paths."""
    return model.__table__  # type: ignore[attr-defined,no-any-return] # SQLModel adds it at class creation
