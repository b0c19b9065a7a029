"""`tieout identity`: which customers may be one, why, what hangs on each, and what did a steward settle?"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from metrics.identity.decisions import Kind
from metrics.identity.stewards import Decision, DecisionError, decide
from metrics.identity.suggestions import refresh, train_and_keep
from metrics.identity.training import TrainingError
from metrics.judge import judge
from metrics.queries import identity as query
from metrics.queries.heads import Head

from ..output import Answer, Column, Item, amounts, instant
from ..progress import progress
from ..question import LimitOption, Question, WrongInput, refuse


class Action(StrEnum):
    """What to do."""

    LIST = "list"
    TRAIN = "train"
    SUGGEST = "suggest"
    CONFIRM = "confirm"
    REJECT = "reject"
    SPLIT = "split"
    DECISIONS = "decisions"
    REFUSED = "refused"


SUGGESTED = (
    Column("likely", "probability"),
    Column("bits", "weight", True),
    Column("customer", "one_name"),
    Column("record", "one_record"),
    Column("and", "other_name"),
    Column("record", "other_record"),
    Column("because", "because"),
    Column("open orders", "open_orders"),
    Column("receivables", "receivables"),
    Column("cases", "open_cases"),
)
DECIDED = (
    Column("at", "at"),
    Column("decision", "kind"),
    Column("record", "one"),
    Column("and", "other"),
    Column("by", "author"),
    Column("reason", "reason"),
    Column("in force", "in_force"),
)
REFUSED = (
    Column("key", "key"),
    Column("value", "value"),
    Column("refused as", "reason"),
    Column("records", "records", True),
    Column("platforms", "platforms"),
)
LEARNED = (
    Column("model", "model"),
    Column("comparison", "comparison"),
    Column("level", "level"),
    Column("among matches", "among_matches", True),
    Column("by chance", "by_chance", True),
)
LOOKED = (Column("records looked at", "records", True), Column("pairs found", "pairs", True))


def identity(
    question: Question,
    action: Annotated[Action, typer.Argument(help="What to do.")] = Action.LIST,
    one: Annotated[str | None, typer.Argument(metavar="[RECORD]", help="confirm, reject, split: PLATFORM/ID.")] = None,
    other: Annotated[str | None, typer.Argument(metavar="[RECORD]", help="And the other: PLATFORM/ID.")] = None,
    by: Annotated[str | None, typer.Option(help="Who trains or decides; kept with it.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why; kept with the decision.")] = None,
    limit: LimitOption = 50,
    after: Annotated[str | None, typer.Option(help="`next` of the page before.")] = None,
) -> Answer:
    """List customers that may be one; train what suggests them; confirm, reject or split."""
    refuse(question, "identity", "as-of", "period", "flow", "platform", "entity", "segment", "customer")
    if action in (Action.CONFIRM, Action.REJECT, Action.SPLIT):
        return _settle(question, action.value, one, other, by, reason)  # type: ignore[arg-type] # one of the kinds
    if one is not None:
        raise WrongInput(f"tieout identity {action}: takes no records. Leave {one} out.")
    try:
        if action is Action.TRAIN:
            return _train(question, by)
        if action is Action.SUGGEST:
            return _suggest(question)
    except TrainingError as error:
        raise WrongInput(f"tieout identity {action}: {error}") from None
    with question.workspace.store.read() as conn:
        if action is Action.DECISIONS:
            return question.listed(
                query.decisions(conn, limit=limit, after=after), _decision, DECIDED, "nothing was settled"
            )
        if action is Action.REFUSED:
            items = [_refused(v) for v in query.refused_values(conn)]
            return Answer(items, REFUSED, question.head(), empty="no value is refused as a key")
        listing = query.suggestions(conn, question.workspace.model, limit=limit, after=after)
        found = question.listed(listing, suggested_item, SUGGESTED, "no two customers are likely to be one")
        return Answer(found.items, found.columns, found.head, found.next, _notes(query.status(conn, question.workspace.model)),
                      found.empty)  # fmt: skip


def _notes(status: query.Status) -> list[str]:
    if status.model is None:
        return ["Nothing was learned yet: run `tieout identity train --by YOUR NAME`, then `tieout identity suggest`."]
    notes = (
        [] if status.fits else ["identity.suggest changed since the model was trained: run `tieout identity train`."]
    )
    return [*notes, f"{status.due} records changed since: `tieout identity suggest`."] if status.due else notes


def _train(question: Question, by: str | None) -> Answer:
    w = question.workspace
    with progress("learning") as tell:
        tell("comparing customers")
        kept = train_and_keep(w.store, w.model, by or "", question.now_us)
    items = [
        {
            "model": kept.digest,
            "comparison": comparison["output_column_name"],
            "level": level["label_for_charts"],
            "among_matches": f"{level['m_probability']:.6f}",
            "by_chance": f"{level['u_probability']:.6f}",
        }
        for comparison in kept.trained.settings["comparisons"]
        for level in comparison["comparison_levels"]
        if not level.get("is_null_level")
    ]
    learned = f"Learned from {kept.trained.records} customers, {kept.trained.alike} pairs of which look alike."
    return Answer(items, LEARNED, question.head(), notes=[learned, "Now run `tieout identity suggest`."])


def _suggest(question: Question) -> Answer:
    w = question.workspace
    with progress("comparing") as tell:
        done = refresh(w.store, w.model, progress=lambda what, n, _whole: tell(f"{what}: {n:,} records"))
    return Answer([{"records": done.records, "pairs": done.pairs}], LOOKED, question.head())


def _settle(
    question: Question, kind: Kind, one: str | None, other: str | None, by: str | None, reason: str | None
) -> Answer:
    if one is None or other is None:
        raise WrongInput(
            f"tieout identity {kind}: name two customer records as PLATFORM/ID, as `tieout identity list` shows them."
        )
    w = question.workspace
    with w.store.read() as conn:
        a, b = (_record(word, found) for word, found in query.customer_records_named(conn, (one, other)).items())
    try:
        decide(w.store, w.model, Decision(kind, a.id, b.id, by or "", reason or ""), question.now_us)
    except DecisionError as error:
        raise WrongInput(f"tieout identity {kind}: {error}") from None
    judge(w.store, w.model, question.now_us)
    with w.store.read() as conn:
        items = [_decision(d) for d in query.decisions(conn, limit=1).items]
    return Answer(items, DECIDED, question.head())


def _record(word: str, found: list[Head]) -> Head:
    if not found:
        raise WrongInput(f"{word}: no customer record has this id. `tieout find` looks records up.")
    if len(found) > 1:
        raise WrongInput(f"{word}: several records fit, write one of {', '.join(spelled(h) or '' for h in found)}.")
    return found[0]


def spelled(head: Head | None) -> str | None:
    """Return how a record is named on the command line."""
    return None if head is None else f"{head.platform}/{head.external_id}"


def suggested_item(s: query.Suggested) -> Item:
    """Return one pair of customers with its explained score and what hangs on each side."""
    one, other = s.sides
    both = [i for side in s.sides for i in side.ids]
    return {
        "probability": f"{s.probability:.4f}",
        "weight": f"{s.weight:.2f}",
        "model": s.model,
        "one_name": one.name,
        "one_record": spelled(one.record.record),
        "one_ids": [_id(i) for i in one.ids],
        "other_name": other.name,
        "other_record": spelled(other.record.record),
        "other_ids": [_id(i) for i in other.ids],
        "because": [
            f"{p.comparison}: {p.level} {p.weight:+.1f}" if p.level else f"{p.comparison} {p.weight:+.1f}"
            for p in s.parts
        ],
        "parts": [{"comparison": p.comparison, "level": p.level or None, "bits": f"{p.weight:.6f}"} for p in s.parts],
        "open_orders": [f"{spelled(i.record)}: {i.hanging.orders}" for i in both if i.hanging.orders],
        "receivables": [m for i in both for m in amounts(i.hanging.receivables)],
        "open_cases": [f"{spelled(i.record)}: {i.hanging.cases}" for i in both if i.hanging.cases],
    }


def _id(i: query.ScopedId) -> Item:
    return {
        "record": spelled(i.record),
        "roles": list(i.roles),
        "entity": i.record.entity,
        "currency": i.currency,
        "from": instant(i.from_us),
        "to": instant(i.to_us),
        "evidence": i.evidence,
        "open_orders": i.hanging.orders,
        "order_money": amounts(i.hanging.order_money),
        "open_invoices": i.hanging.invoices,
        "receivables": amounts(i.hanging.receivables),
        "open_cases": i.hanging.cases,
    }


def _decision(d: query.Settled) -> Item:
    return {
        "at": instant(d.at_us),
        "kind": d.kind,
        "one": spelled(d.a),
        "other": spelled(d.b),
        "author": d.author,
        "reason": d.reason,
        "weight": None if d.weight is None else f"{d.weight:.2f}",
        "model": d.model,
        "in_force": d.in_force,
    }


def _refused(v: query.RefusedValue) -> Item:
    return {"key": v.key, "value": v.value, "reason": v.reason, "records": v.records, "platforms": list(v.platforms)}
