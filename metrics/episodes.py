"""When did an anchor and the record of a step begin to differ, and when did they agree again? Pure: frames in, frame out.

What either side says changes with its versions, with records that come and with records that go. The one comparison is made at
each instant at which something of a subject changed, with what was said by then; the stretches in which it fails are episodes.
Only the revision in force is compared: when another begins, the episodes of the one before end.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from probes.clock import FOREVER

from .arrays import NONE, Array
from .compared import AMOUNTS, SIDES, differences, sides
from .definitions import Flow, Step
from .gather import Frames
from .reach import in_state, matches, reach
from .telling import said_at

COLUMNS = ("sid", "field", "since_us", "until_us", "closed_us", "record_id", "expected", "actual", "money", "currency")
DUPLICATE, MISSING, STALE = "duplicate", "missing", "stale"
"""Stand for the field of an episode in which a record is one too many, none is there, or only one of a former revision."""
ABSENT = (MISSING, STALE)
Row = tuple[int, str, int, int, int, int, str | None, str | None, int, str | None]


def episodes(
    flow: Flow, step: Step, s: pd.DataFrame, reached: pd.DataFrame, frames: Frames, ripe: Array
) -> pd.DataFrame:
    """Return when each comparison of a step failed, and from `ripe` on when there was nothing to compare with.

    Shape: `COLUMNS`; `sid` is the subject's row. Time: [since_us, until_us) in business time, until_us FOREVER while it lasts;
    closed_us is when the end was observed. Expected, actual and money are those at the end.
    """
    if not step.path or step.optional:
        return pd.DataFrame(columns=list(COLUMNS))
    moving = s["anchor_id"].isin(_moving(step, frames)).to_numpy()
    found: list[Row] = [*_standing(step, s, reached, ~moving), *_never_or_late(s, reached, ~moving, ripe)]
    if moving.any():
        found += [e for e in _changing(flow, step, s[moving], frames) if e[1] not in ABSENT or e[3] > int(ripe[e[0]])]
    return pd.DataFrame(found, columns=list(COLUMNS), dtype=object)


def own_then(flow: Flow, s: pd.DataFrame, at: Array, own: pd.DataFrame) -> pd.DataFrame:
    """Return the subjects with what their anchors said at an instant each; what history or lines say of them stays."""
    many = s["anchor_id"].isin(own["id"]).to_numpy() if len(own) else np.zeros(len(s), dtype=bool)
    if not many.any():
        return s
    told = said_at(s["anchor_id"].to_numpy()[many], at[many], own)
    s = s.copy()
    fixed = {"currency": (s["amount"] != NONE).to_numpy() & ~s["split"].to_numpy(), "entity": s["split"].to_numpy()}
    for column in SIDES:
        open_ = many & ~fixed.get(column, np.zeros(len(s), dtype=bool))
        s.loc[open_, column] = told[column].to_numpy()[open_[many]]
    stated = (s["amount"] != NONE).to_numpy() | s["split"].to_numpy()
    if flow.anchor.amount in SIDES:
        s["money"] = np.where(stated, s["money"], s[flow.anchor.amount])
    return s.assign(net=s["money"]) if flow.anchor.amount == "net" else s


def _moving(step: Step, frames: Frames) -> set[int]:
    """Return the anchors of which something compared ever changed, or that several records reach."""
    rows, versions, own = frames.steps[step.name], frames.versions.get(step.name), frames.own
    grouped = frames.groups.get(step.name)
    subjects = rows["subject"] if grouped is None else pd.concat([rows["subject"], grouped["subject"]])
    found = set(subjects[subjects.duplicated()].tolist())
    found.update(rows.loc[rows["deleted_us"] != FOREVER, "subject"].tolist())
    if versions is not None and len(versions):
        told = versions.assign(counts=in_state(step, versions) & (versions["unmapped"] == 0))
        distinct = told.drop_duplicates(["id", "counts", "shown_revision", *SIDES])["id"]
        found.update(rows.loc[rows["id"].isin(distinct[distinct.duplicated()]), "subject"].tolist())
    if len(own):
        distinct = own.drop_duplicates(["id", *SIDES])["id"]
        found.update(distinct[distinct.duplicated()].tolist())
    return found


def _standing(step: Step, s: pd.DataFrame, r: pd.DataFrame, where: Array) -> Iterable[Row]:
    """Yield the episodes of subjects of which nothing ever changed: from when both sides were there."""
    since = np.maximum(r["latest"].to_numpy(), s["start_us"].to_numpy())
    until = s["superseded_us"].to_numpy()
    for field, differs in _flags(step, s, r):
        for i in np.flatnonzero(differs & where & (since < until)).tolist():
            yield _episode(field, s, r, i, i, int(since[i]), int(until[i]), int(until[i]))


def _never_or_late(s: pd.DataFrame, r: pd.DataFrame, where: Array, ripe: Array) -> Iterable[Row]:
    """Yield the absences of subjects of which nothing ever changed: until a record came, or until another revision began."""
    latest, end = r["latest"].to_numpy(), s["superseded_us"].to_numpy()
    start, seen = s["start_us"].to_numpy(), r["first_observed_us"].to_numpy()
    unclear = (r["unmapped"].to_numpy() | (s["unmapped"].to_numpy() != 0)) & (latest == FOREVER)
    stale = r["shown"].to_numpy() & (s["revision"].to_numpy() > 1) & (latest == FOREVER)
    shown, known = r["shown_us"].to_numpy(), r["shown_seen_us"].to_numpy()
    for i in np.flatnonzero(where & ~unclear & (np.minimum(latest, end) > ripe)).tolist():
        until, closed = (
            (int(latest[i]), max(int(latest[i]), int(seen[i]))) if latest[i] < end[i] else (int(end[i]),) * 2
        )
        if not stale[i]:
            yield _episode(MISSING, s, r, i, i, int(start[i]), until, closed)
            continue
        turned = max(int(start[i]), int(shown[i]))
        if turned > ripe[i]:
            yield _episode(
                MISSING, s, r, i, i, int(start[i]), min(turned, until), min(max(turned, int(known[i])), closed)
            )
        if turned < until:
            yield _episode(STALE, s, r, i, i, turned, until, closed)


def _flags(step: Step, s: pd.DataFrame, r: pd.DataFrame) -> list[tuple[str, Array]]:
    """Return where each comparison fails; money that is there twice is a duplicate and no second difference of amounts."""
    twice = r["duplicate"].to_numpy() & (r["latest"].to_numpy() != FOREVER)
    apart = [(field, differs & ~twice if field in AMOUNTS else differs) for field, differs in differences(step, s, r)]
    return [*apart, (DUPLICATE, twice)]


def _absences(s: pd.DataFrame, r: pd.DataFrame) -> list[tuple[str, Array]]:
    """Return where nothing reaches a step, and where what is there shows a former revision; an unknown status says nothing."""
    absent = (r["latest"].to_numpy() == FOREVER) & ~r["unmapped"].to_numpy() & (s["unmapped"].to_numpy() == 0)
    stale = absent & r["shown"].to_numpy() & (s["revision"].to_numpy() > 1)
    return [(MISSING, absent & ~stale), (STALE, stale)]


def _episode(
    field: str, s: pd.DataFrame, r: pd.DataFrame, i: int, sid: int, since: int, until: int, closed: int
) -> Row:
    expected, actual, money = sides(field, s, r, i)
    if field == DUPLICATE:
        own, total = int(s["money"].to_numpy()[i]), int(r["amount"].to_numpy()[i])
        expected, actual, money = None, None, NONE if total == NONE else total - (0 if own == NONE else own)
    record, currency = int(r["record_id"].to_numpy()[i]), s["currency"].to_numpy()[i]
    return sid, field, since, until, closed, record, expected, actual, money, currency


def _changing(flow: Flow, step: Step, s: pd.DataFrame, frames: Frames) -> list[Row]:
    """Return the episodes of subjects of which something changed: compared anew at each instant at which it did."""
    moments = _moments(step, s, frames)
    if moments.empty:
        return []
    at = moments["at"].to_numpy()
    place = np.searchsorted(s["sid"].to_numpy(), moments["sid"].to_numpy())
    then = s.iloc[place].assign(sid=np.arange(len(at)), last=True).reset_index(drop=True)
    then = own_then(flow, then, at, frames.own)
    r = reach(flow, step, then, frames, at, only_then=True)
    sid, seen = moments["sid"].to_numpy(), moments["seen"].to_numpy()
    follows = np.r_[sid[1:] == sid[:-1], False]  # the next moment is of the same subject
    superseded = then["superseded_us"].to_numpy()
    found = []
    for field, differs in [*_flags(step, then, r), *_absences(then, r)]:
        begins = differs & ~np.r_[False, differs[:-1] & follows[:-1]]
        ends = differs & ~(follows & np.r_[differs[1:], False])
        for first, last in zip(np.flatnonzero(begins).tolist(), np.flatnonzero(ends).tolist(), strict=True):
            until = int(at[last + 1]) if follows[last] else int(superseded[last])
            closed = max(until, int(seen[last + 1])) if follows[last] else until
            shows = last + 1 if follows[last] and field in ABSENT else last  # what ended it is what was missing
            found.append(_episode(field, then, r, shows, int(sid[last]), int(at[first]), until, closed))
    return found


def _moments(step: Step, s: pd.DataFrame, frames: Frames) -> pd.DataFrame:
    """Return the instants at which a subject, while in force, may have changed, and when that was seen. Shape: sid, at, seen."""
    rows = matches(step, s, frames, np.full(int(s["sid"].max()) + 1, np.iinfo(np.int64).min))
    parts = [_told(s["sid"], s["start_us"], s["start_us"])]
    parts.append(_told(rows["sid"], rows["latest"], rows["first_observed_us"]))
    parts += [_told(rows["sid"], rows[c], rows["first_observed_us"]) for c in ("own_us", "deleted_us")]
    versions = frames.versions.get(step.name)
    for owners, name, told in ((rows, "id", versions), (s, "anchor_id", frames.own)):
        if told is not None and len(told):
            later = told[told["id"].duplicated()]
            m = owners[["sid", name]].merge(later[["id", "order_us", "observed_us"]], left_on=name, right_on="id")
            parts.append(_told(m["sid"], m["order_us"], m["observed_us"]))
    found = pd.concat(parts, ignore_index=True).groupby(["sid", "at"], as_index=False)["seen"].max()
    place = np.searchsorted(s["sid"].to_numpy(), found["sid"].to_numpy())
    start, end = s["start_us"].to_numpy()[place], s["superseded_us"].to_numpy()[place]
    at = found["at"].to_numpy()
    inside: pd.DataFrame = found[(at >= start) & (at < end) & (at != FOREVER)]
    return inside


def _told(sid: pd.Series, at: pd.Series, seen: pd.Series) -> pd.DataFrame:
    return pd.DataFrame({"sid": sid.to_numpy(), "at": at.to_numpy(), "seen": seen.to_numpy()})
