"""Random company histories: what platforms may show, in what pages it lands, and how far each stream was seen meanwhile.

Small domains on purpose: instants on an hour grid with microsecond neighbours, two of everything, so that ties, boundaries,
duplicates and clashes are common. Nothing is judged here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from metrics.identity.decisions import Kind
from probes.clock import DAY, HOUR
from probes.record import Record, Reference, key
from tests.reference.facts import Ident

from .world import T0

Draw = st.DrawFn
INSTANTS = st.builds(
    lambda hours, off: T0 + hours * HOUR + off,
    st.sampled_from([-2, 0, 1, 3, 4, 5, 12, 24, 25, 28, 48, 60, 96]),
    st.sampled_from([0, 0, 0, 0, 1, -1]),
)
ENTITIES = st.sampled_from(["DE", "DE", "US", None])
NETS = st.sampled_from([1000, 1000, 1000, 600, 400, 1500, 0, None])
SMALL = st.integers(0, 2)


@dataclass(frozen=True)
class Landing:
    """One page: observations of one stream at one instant."""

    platform: str
    kind: str
    records: tuple[Record, ...]
    observed_us: int


@dataclass(frozen=True)
class Watermark:
    """A poll that ended: complete ones move the watermark."""

    platform: str
    kind: str
    at_us: int
    watermark_us: int
    status: str


@dataclass(frozen=True)
class Decided:
    """What a steward settled about two customer records, before the page of that number landed."""

    before: int
    kind: Kind
    one: Ident
    other: Ident


@dataclass(frozen=True)
class History:
    """What happened, in the order in which it reached us; `lookups` are direct reads that found nothing."""

    landings: list[Landing]
    watermarks: list[Watermark]
    readable: bool
    lookups: list[tuple[str, int, bool]]
    decisions: list[Decided]


def _maybe(strategy: st.SearchStrategy[Any], odds: int = 3) -> st.SearchStrategy[Any]:
    """Draw None once in `odds` times."""
    return st.integers(0, odds - 1).flatmap(lambda n: st.none() if n == 0 else strategy)


def _naming(draw: Draw, kind: str, platform: str, target: str, ids: list[str], reference: str) -> tuple[Reference, ...]:
    """Draw references to some documents, by id or by the number they are known under."""
    chosen = draw(st.lists(st.sampled_from(ids), max_size=2, unique=True)) if draw(st.integers(0, 9)) == 0 else []
    chosen = chosen or [draw(st.sampled_from(ids))]
    by = draw(st.sampled_from(["id", "id", "number"]))
    return tuple(Reference(reference, key(platform, target, by, i if by == "id" else f"N-{i}")) for i in chosen)


def _common(draw: Draw, kind: str, ident: str, platform: str) -> dict[str, Any]:
    return {
        "kind": kind, "id": ident, "entity": draw(ENTITIES), "currency": draw(st.sampled_from(["EUR", "EUR", "USD", None])),
        "keys": (key(platform, kind, "number", f"N-{ident}"),) if draw(st.integers(0, 4)) else (),
        "deleted": draw(st.integers(0, 14)) == 0,
    }  # fmt: skip


def _state(draw: Draw, *states: str) -> dict[str, Any]:
    """Draw a status; one in twelve is unknown to the map."""
    if draw(st.integers(0, 11)) == 0:
        return {"status": "NEW-WORD", "state": None}
    state = draw(st.sampled_from(states))
    return {"status": state.upper(), "state": state}


def _party(draw: Draw, prefix: str) -> dict[str, str]:
    found = {}
    if draw(st.integers(0, 5)):
        found["sold_to"] = f"{prefix}{draw(st.integers(1, 2))}"
    if draw(st.integers(0, 3)) == 0:
        found["bill_to"] = f"{prefix}{draw(st.integers(1, 2))}"
    return found


DEALS, BILLS, POSTINGS = ["o1", "o2"], ["i1", "i2"], ["e1", "e2"]


def _deal(draw: Draw, ident: str) -> dict[str, Any]:
    stamped = {"won": (lambda at: (at, at + draw(st.sampled_from([0, 0, 6 * HOUR]))))(draw(INSTANTS))}
    return _common(draw, "opportunity", ident, "crm") | _state(draw, "open", "won", "won", "won", "lost") | {
        "amounts": _amounts(draw, "net"), "parties": _party(draw, "a"),
        "milestones": stamped if draw(st.booleans()) else {},
        "test": draw(st.integers(0, 9)) == 0,
        "exempt": draw(st.sampled_from([None, None, None, None, None, None, "trial"])),
    }  # fmt: skip


def _amounts(draw: Draw, *names: str) -> dict[str, int]:
    drawn = {name: draw(NETS) for name in names}
    return {name: value for name, value in drawn.items() if value is not None}


def _change(draw: Draw, ident: str) -> dict[str, Any]:
    return _common(draw, "opportunity_change", ident, "crm") | _state(draw, "won", "won", "open", "lost") | {
        "amounts": _amounts(draw, "net"), "references": _naming(draw, "opportunity_change", "crm", "opportunity", DEALS, "part_of"),
    }  # fmt: skip


def _line(draw: Draw, ident: str) -> dict[str, Any]:
    return _common(draw, "opportunity_line", ident, "crm") | {
        "amounts": _amounts(draw, "net"), "references": _naming(draw, "opportunity_line", "crm", "opportunity", DEALS, "part_of"),
    }  # fmt: skip


def _order(draw: Draw, ident: str, platform: str) -> dict[str, Any]:
    return _common(draw, "order", ident, platform) | _state(draw, "open", "open", "open", "draft", "cancelled") | {
        "amounts": _amounts(draw, "net"), "revision": draw(st.sampled_from([None, None, 1, 2, 3])),
        "references": _naming(draw, "order", "crm", "opportunity", DEALS, "fulfils"),
    }  # fmt: skip


def _subscription(draw: Draw, ident: str) -> dict[str, Any]:
    at = draw(INSTANTS)
    return _common(draw, "subscription", ident, "billing") | _state(draw, "active", "draft", "cancelled") | {
        "parties": _party(draw, "b"), "milestones": {"activated": (at, at)} if draw(st.booleans()) else {},
        "references": _naming(draw, "subscription", "crm", "opportunity", DEALS, "fulfils"),
    }  # fmt: skip


def _invoice(draw: Draw, ident: str) -> dict[str, Any]:
    at = draw(INSTANTS)
    return _common(draw, "invoice", ident, "billing") | _state(draw, "open", "open", "paid", "draft", "voided") | {
        "amounts": _amounts(draw, "net", "tax", "gross"), "parties": _party(draw, "b"),
        "milestones": {"finalised": (at, at)} if draw(st.booleans()) else {},
        "test": draw(st.integers(0, 14)) == 0,
    }  # fmt: skip


def _posting(draw: Draw, ident: str, platform: str) -> dict[str, Any]:
    at = draw(INSTANTS)
    return _common(draw, "invoice", ident, platform) | _state(draw, "open", "open", "open", "draft", "voided") | {
        "amounts": _amounts(draw, "net", "tax", "gross"), "parties": _party(draw, "x"),
        "milestones": {"posted": (at, at)} if draw(st.integers(0, 2)) == 0 else {},
        "references": _naming(draw, "invoice", "billing", "invoice", BILLS, "posts"),
    }  # fmt: skip


def _customer(draw: Draw, ident: str, platform: str) -> dict[str, Any]:
    words = {
        "tax_id": draw(st.sampled_from(["DE 1", "de1", "DE2", "FR3", None, " ", "n/a", "UNKNOWN"])),
        "city": draw(st.sampled_from(["Bonn", "BONN ", "Köln", None])),
        "name": draw(st.sampled_from(["Acme", "Zeta"])),
        "segment": draw(st.sampled_from(["smb", "ent", None])),
    }
    refs: tuple[Reference, ...] = ()
    if platform != "crm" and draw(st.integers(0, 5)):
        refs = _naming(draw, "customer", "crm", "customer", ["a1", "a2"], "about")
    elif platform == "crm" and draw(st.integers(0, 5)) == 0:
        kind = draw(st.sampled_from(["merged_into", "part_of"]))
        refs = (Reference(kind, key("crm", "customer", "id", "a2" if ident == "a1" else "a1")),)
    return _common(draw, "customer", ident, platform) | {
        "attributes": words, "references": refs, "test": draw(st.integers(0, 14)) == 0,
    }  # fmt: skip


def _versions(draw: Draw, platform: str, fields: Any, stamped_only: bool) -> list[tuple[Record, int]]:
    """Draw one to three versions of a record with what each was observed at; A→B→A included."""
    created = draw(_maybe(INSTANTS, 12))
    stamped = draw(st.integers(0, 5)) > 0 or stamped_only
    first = fields()
    bodies = [first, fields(), first][: draw(st.sampled_from([1, 1, 1, 2, 2, 3]))]
    at, found = created if created is not None else draw(INSTANTS), []
    for number, body in enumerate(bodies):
        steps = [HOUR, 3 * HOUR, DAY] if stamped_only else [0, HOUR, 3 * HOUR, DAY]
        at = at + draw(st.sampled_from(steps)) if number else at
        seen = at + draw(st.sampled_from([HOUR // 60, HOUR, 2 * DAY])) + number
        found.append((Record(**body, created_us=created, changed_us=at if stamped else None), seen))
    return found


@st.composite
def histories(draw: Draw, *, stamped_only: bool = False) -> History:
    """Draw a history. `stamped_only`: every record has a change stamp, so any order of arrival tells the same story."""
    shows: list[tuple[str, list[tuple[Record, int]]]] = []

    def show(platform: str, fields: Any, *args: str) -> None:
        shows.append((platform, _versions(draw, platform, lambda: fields(draw, *args), stamped_only)))

    for ident in DEALS[: 1 + draw(st.integers(0, 1))]:
        show("crm", _deal, ident)
    for n in range(draw(st.integers(0, 3))):
        show("crm", _change, f"h{n}")
    for n in range(draw(st.integers(0, 3))):
        show("crm", _line, f"l{n}")
    for n in range(draw(st.integers(0, 3))):
        place = draw(st.sampled_from(["erp", "erp", "legacy"]))
        show(place, _order, f"s{n}", place)
    for n in range(draw(st.integers(0, 1))):
        show("billing", _subscription, f"u{n}")
    for ident in BILLS[: draw(SMALL)]:
        show("billing", _invoice, ident)
    for ident in POSTINGS[: draw(SMALL)]:
        show("erp", _posting, ident, "erp")
    for platform, idents in (("crm", ["a1", "a2"]), ("billing", ["b1", "b2"]), ("erp", ["x1", "x2"])):
        for ident in idents[: draw(SMALL)]:
            show(platform, _customer, ident, platform)
    landings = _pages(draw, shows)
    return History(landings, _polls(draw), draw(st.integers(0, 3)) == 0, _reads(draw), _decisions(draw, len(landings)))


PEOPLE = [("crm", "a1"), ("crm", "a2"), ("billing", "b1"), ("billing", "b2"), ("erp", "x1"), ("erp", "x2")]


def _decisions(draw: Draw, landings: int) -> list[Decided]:
    """Draw what stewards settled, now and then before the records were seen."""
    found = []
    for _ in range(draw(st.sampled_from([0, 0, 1, 2, 3]))):
        one, other = draw(st.lists(st.sampled_from(PEOPLE), min_size=2, max_size=2, unique=True))
        kind: Kind = draw(st.sampled_from(["confirm", "confirm", "reject", "split"]))
        place = draw(st.integers(0, landings))
        found.append(Decided(place, kind, (one[0], "customer", one[1]), (other[0], "customer", other[1])))
    return found


def _pages(draw: Draw, shows: list[tuple[str, list[tuple[Record, int]]]]) -> list[Landing]:
    """Put what was shown into pages: of one stream and instant, in random order, some cut in two, some delivered twice."""
    groups: dict[tuple[str, str, int], list[Record]] = {}
    for platform, versions in shows:
        for record, seen in versions:
            groups.setdefault((platform, record.kind, seen), []).append(record)
    pages: list[Landing] = []
    for (platform, kind, seen), records in groups.items():
        cut = draw(st.integers(0, len(records))) if len(records) > 1 else 0
        pages += [Landing(platform, kind, tuple(part), seen) for part in (records[:cut], records[cut:]) if part]
    again = [page for page in pages if draw(st.integers(0, 7)) == 0]
    return list(draw(st.permutations([*pages, *again])))


def _polls(draw: Draw) -> list[Watermark]:
    """Draw polls per stream that decides absence: some fail, some stop early (an outage)."""
    found = []
    for platform, kind in (
        ("erp", "order"), ("legacy", "order"), ("erp", "invoice"), ("legacy", "invoice"), ("billing", "subscription"),
        ("erp", "customer"), ("legacy", "customer"), ("billing", "customer"),
    ):  # fmt: skip
        marks = sorted(draw(st.lists(INSTANTS, max_size=3, unique=True)))
        if draw(st.integers(0, 2)):
            marks.append(T0 + 30 * DAY)
        for mark in marks:
            status = draw(st.sampled_from(["complete", "complete", "complete", "failed"]))
            found.append(Watermark(platform, kind, mark + draw(st.sampled_from([HOUR // 60, DAY])), mark, status))
    return found


def _reads(draw: Draw) -> list[tuple[str, int, bool]]:
    return [(deal, draw(INSTANTS), draw(st.booleans())) for deal in DEALS if draw(st.integers(0, 2)) == 0]
