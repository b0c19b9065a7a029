"""What does a command ask about? The options that every answering command takes, read once and checked against the store.

A wrong value is refused with what exists instead. Computing the answer is the commands' and the rooms' business.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import typer
from sqlalchemy import Connection, select

from metrics.past import remark
from metrics.queries.customers import customers_list
from metrics.queries.narrow import EVERYTHING, Narrow, narrow
from metrics.queries.pages import Listing
from metrics.sli import Filters
from metrics.tables import RecordRow, Scope, StreamRow, table
from probes.clock import DAY, duration_us, to_us

from .output import Answer, Column, Format, Item, instant, write
from .settings import Settings, load_settings
from .workspace import Workspace, open_workspace

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="Configuration file; else $TIEOUT_CONFIG, tieout.yaml.")
]
StoreOption = Annotated[str | None, typer.Option("--store", help="Store URL instead of the configured one.")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most this many rows.")]
AfterOption = Annotated[str | None, typer.Option("--after", help="Go on after this: the `next` of the answer before.")]
FormatOption = Annotated[Format, typer.Option("--format", help="How to write the answer.")]
T = TypeVar("T")
_MONTH = re.compile(r"(\d{4})-(\d{2})")


class WrongInput(Exception):  # noqa: N818 # it is shown to people, never caught by name elsewhere
    """An argument that cannot be used; the text says what to write instead."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The shared options as typed."""

    config: Path | None = None
    store: str | None = None
    format: Format = Format.TABLE
    flow: str | None = None
    platform: str | None = None
    entity: str | None = None
    segment: str | None = None
    customer: str | None = None
    period: str | None = None
    as_of: str | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """An opened workspace and what the answer is narrowed to."""

    workspace: Workspace
    filters: Filters
    now_us: int
    format: Format

    def narrow(self, conn: Connection) -> Narrow:
        """Return the filters as lists take them."""
        return narrow(conn, self.workspace.model, self.filters)

    @property
    def until_us(self) -> int:
        """Return the instant the answer stands for."""
        return self.now_us if self.filters.as_of_us is None else self.filters.as_of_us

    @property
    def from_us(self) -> int | None:
        """Return where the asked period starts; None for each figure's own window."""
        return None if self.filters.window_us is None else self.until_us - self.filters.window_us

    def head(self) -> dict[str, Any]:
        """Return what every JSON answer carries beside its items."""
        f = self.filters
        shown = {"flow": f.flow, "platform": f.platform, "entity": f.entity, "segment": f.segment}
        shown["customer"] = None if f.customer_id is None else str(f.customer_id)
        return {"as_of": instant(self.until_us), "from": instant(self.from_us), "filters": shown}

    def listed(
        self, listing: Listing[T], item: Callable[[T], Item], columns: Sequence[Column], empty: str = "nothing found"
    ) -> Answer:
        """Return one page of a list with how many rows there are in all."""
        head = {**self.head(), "total": listing.total}
        return Answer([item(row) for row in listing.items], columns, head, listing.next, empty=empty)


def _shared(
    *,
    config: ConfigOption = None,
    store: StoreOption = None,
    format: FormatOption = Format.TABLE,
    flow: Annotated[str | None, typer.Option(help="Only this flow.")] = None,
    platform: Annotated[str | None, typer.Option(help="Only this platform.")] = None,
    entity: Annotated[str | None, typer.Option(help="Only this legal entity.")] = None,
    segment: Annotated[str | None, typer.Option(help="Only customers of this segment.")] = None,
    customer: Annotated[str | None, typer.Option(help="Only this customer: its name, number or id.")] = None,
    period: Annotated[str | None, typer.Option(help="28d, 2026-10 or 2026-10-01..2026-10-15 (UTC).")] = None,
    as_of: Annotated[str | None, typer.Option(help="As it stood at 2026-11-20T12:00:00Z, or at a date's end.")] = None,
) -> Asked:
    return Asked(config, store, format, flow, platform, entity, segment, customer, period, as_of)


def answering(command: Callable[..., Answer | tuple[Answer, int] | None]) -> Callable[..., None]:
    """Give a command the shared options: it gets a Question first, returns its Answer and maybe an exit code.

    A command that has written by itself returns None.
    """
    hints = get_type_hints(command, include_extras=True)
    own = [p.replace(annotation=hints[p.name]) for p in list(inspect.signature(command).parameters.values())[1:]]
    shared = list(inspect.signature(_shared, eval_str=True).parameters.values())

    def run(ctx: typer.Context, **given: Any) -> None:
        asked = with_globals(ctx, _shared(**{p.name: given.pop(p.name) for p in shared}))
        with closing(open_workspace(load_settings(asked.config, store=asked.store))) as workspace:
            question = ask(workspace, asked)
            found = command(question, **given)
        answer, code = found if isinstance(found, tuple) else (found, 0)
        if answer is not None:
            write(_remarked(answer, question.filters.as_of_us), asked.format)
        if code:
            raise typer.Exit(code)

    context = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    parameters = [context, *(p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own), *shared]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined] # typer reads it
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    run.__doc__, run.__name__ = command.__doc__, command.__name__
    return run


def asks(command: Callable[..., Any]) -> bool:
    """Return whether a command answers a Question, and so takes the shared options."""
    return next(iter(get_type_hints(command).values()), None) is Question


def _remarked(answer: Answer, as_of_us: int | None) -> Answer:
    return answer if as_of_us is None else replace(answer, notes=[*answer.notes, remark(as_of_us)])


def with_globals(ctx: typer.Context, asked: Asked) -> Asked:
    """Fill in --config and --store where they were written before the command."""
    config, store = ctx.find_root().obj or (None, None)
    return replace(asked, config=asked.config or config, store=asked.store or store)


def ask(workspace: Workspace, asked: Asked) -> Question:
    """Check what was typed against what there is. Errors: WrongInput."""
    now_us = workspace.now_us()
    until, window = _period(asked.period, _as_of(asked.as_of, now_us), now_us)
    model = workspace.model
    known("flow", asked.flow, model.flows)
    known("platform", asked.platform, workspace.platforms)
    with workspace.store.read() as conn:
        if asked.entity is not None:
            seen = conn.execute(select(table(Scope).c.entity).distinct()).scalars()
            known("entity", asked.entity, sorted({*model.entities, *seen}))
        if asked.segment is not None:
            c = table(RecordRow).c
            streams = select(table(StreamRow).c.id).where(table(StreamRow).c.kind == "customer")
            of = select(c.segment).where(c.stream_id.in_(streams), c.kind == "customer", c.segment.is_not(None))
            had = conn.execute(of.distinct()).scalars()
            known("segment", asked.segment, sorted(map(str, had)))
        customer = None if asked.customer is None else _customer(conn, asked.customer)
    filters = Filters(
        flow=asked.flow,
        platform=asked.platform,
        entity=asked.entity,
        segment=asked.segment,
        customer_id=customer,
        as_of_us=until,
        window_us=window,
    )
    return Question(workspace, filters, now_us, asked.format)


def known(what: str, word: str | None, there: Iterable[str]) -> None:
    """Refuse a word that names nothing there is. Errors: WrongInput with what there is."""
    names = list(there)
    if word is None or word in names:
        return
    near = get_close_matches(word, names, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(names) or 'none yet'}."
    raise WrongInput(f"--{what} {word}: there is no such {what}. {hint}")


def _customer(conn: Connection, text: str) -> int:
    if not text.strip():
        raise WrongInput("--customer: write a name, a number or an id.")
    found = customers_list(conn, EVERYTHING, text=text, limit=6).items
    exact = [row for row in found if row.name.casefold() == text.casefold()]
    if len(exact) == 1 or len(found) == 1:
        return (exact or found)[0].id
    if not found:
        raise WrongInput(f"--customer {text}: no customer has this name, number or id. Look it up with `tieout find`.")
    names = ", ".join(row.name for row in found[:5])
    raise WrongInput(
        f"--customer {text}: several fit ({names}{', …' if len(found) > 5 else ''}). Write more of the name."
    )


def _as_of(text: str | None, now_us: int) -> int | None:
    if text is None:
        return None
    try:
        if len(text) == len("2026-11-20"):
            at = _day(date.fromisoformat(text) + timedelta(days=1)) - 1
        else:
            at = to_us(datetime.fromisoformat(text))
    except ValueError:
        zoneless = "has no time zone" if _is_local(text) else "is no instant or day of the calendar"
        raise WrongInput(
            f"--as-of {text}: this {zoneless}. Write an instant with its zone, 2026-11-20T12:00:00Z, or a date (its end, UTC)."
        ) from None
    if at > now_us:
        raise WrongInput(f"--as-of {text}: this is in the future.")
    return at


def _is_local(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is None
    except ValueError:
        return False


def _period(text: str | None, until: int | None, now_us: int) -> tuple[int | None, int | None]:
    """Read a period as (end, length); both None when nothing was asked."""
    if text is None:
        return until, None
    try:
        start, end = _span(text)
    except ValueError:
        try:
            return until, _positive(duration_us(text))
        except ValueError:
            raise WrongInput(
                f"--period {text}: write a length such as 28d, a month such as 2026-10, or 2026-10-01..2026-10-15."
            ) from None
    if until is not None:
        raise WrongInput(
            "--period with dates already says when it ends. Leave out --as-of, or write a length such as 28d."
        )
    if start >= min(end, now_us):
        raise WrongInput(f"--period {text}: this period is empty or in the future.")
    end = min(end, now_us)
    return end, end - start


def _span(text: str) -> tuple[int, int]:
    month = _MONTH.fullmatch(text)
    if month:
        first = date(int(month[1]), int(month[2]), 1)
        return _day(first), _day((first + timedelta(days=31)).replace(day=1))
    start, _, end = text.partition("..")
    return _day(date.fromisoformat(start)), _day(date.fromisoformat(end)) + DAY


def _day(on: date) -> int:
    return to_us(datetime(on.year, on.month, on.day, tzinfo=UTC))


def _positive(us: int) -> int:
    if us <= 0:
        raise ValueError("not positive")
    return us


def refuse(question: Question, command: str, *options: str) -> None:
    """Refuse filters that a command cannot honour; ignoring them would answer another question. Errors: WrongInput."""
    names = {"as-of": "as_of_us", "period": "window_us", "customer": "customer_id"}
    for option in options:
        if getattr(question.filters, names.get(option, option)) is not None:
            raise WrongInput(f"--{option} does not narrow `tieout {command}`. Leave it out.")


def settings_of(ctx: typer.Context, config: Path | None, store: str | None) -> Settings:
    """Read the configuration a command was pointed at, before or after its name. Errors: ConfigError."""
    asked = with_globals(ctx, Asked(config, store))
    return load_settings(asked.config, store=asked.store)
