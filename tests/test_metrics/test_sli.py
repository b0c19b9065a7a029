"""Is a figure exact to the microsecond, whatever the window, and do its parts sum up to the whole?"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert

from metrics.keys import record_id, stream_id
from metrics.listing import events
from metrics.rollup import rebuild_rollups
from metrics.sli import Filters, burn, figures, series, slices
from metrics.store import Store
from metrics.tables import Crosswalk, RecordRow, SliEvent, table
from probes.clock import DAY, HOUR, MINUTE, SECOND, to_us

from .world import T0, World, model_of, wipe

ZONES = {"DE": "Europe/Berlin", "US": "UTC", "JP": "Asia/Tokyo", "IN": "Asia/Kolkata", "NY": "America/New_York"}
MODEL = model_of({entity: {"time_zone": zone} for entity, zone in ZONES.items()}, ("crm", "billing", "erp"))
SLI = "order_latency"
OUTCOMES = [("good", "in_time"), ("good", "early"), ("bad", "late"), ("bad", "missing"), ("blind", "not_visible"),
            ("pending", "not_due"), ("excluded", "test")]  # fmt: skip
NEAR = st.builds(
    lambda hours, off: T0 + hours * HOUR + off, st.integers(-72, 72), st.sampled_from([0, -1, 1, 1234567, 59 * MINUTE])
)
EVENTS = st.lists(
    st.tuples(
        NEAR, st.sampled_from(OUTCOMES), st.sampled_from(["DE", "US", ""]), st.sampled_from(["EUR", "USD", None]),
        st.integers(0, 3), st.integers(-10**12, 10**12), st.integers(-5 * HOUR, 50 * HOUR),
    ),
    max_size=25,
)  # fmt: skip


@dataclass(frozen=True)
class Company:
    """A store with made-up events: what is counted hangs on nothing else."""

    world: World

    def figure(self, now_us: int, name: str = SLI, **filters: Any) -> Any:
        with self.world.store.read() as conn:
            return figures(conn, MODEL, now_us, Filters(**filters), [name])[0]


def fill(store: Store, drawn: list[tuple[Any, ...]], watermark_us: int = T0 + 30 * DAY, sli: str = SLI) -> Company:
    """Write events and their roll-ups; three customers, the first two in the segment `smb`."""
    wipe(store)
    world = World(store, MODEL, seen_us=watermark_us, first_complete_us=T0 - 90 * DAY)
    customers = [record_id("crm", "customer", f"a{n}") for n in range(3)]
    with store.write() as conn:
        for number, cid in enumerate(customers):
            row = {"id": cid, "stream_id": stream_id("crm", "customer"), "kind": "customer", "external_id": f"a{number}",
                   "segment": "smb" if number < 2 else "ent", "test": False, "first_observed_us": T0, "observed_us": T0,
                   "version_count": 1, "digest": b"x"}  # fmt: skip
            conn.execute(insert(table(RecordRow)).values(**row))
            conn.execute(insert(table(Crosswalk)).values(record_id=cid, customer_id=cid, evidence="self"))
        for number, (at, (outcome, reason), entity, currency, who, minor, value) in enumerate(drawn):
            conn.execute(
                insert(table(SliEvent)).values(
                    sli=sli, anchor_id=number, revision=1, entity=entity, stream_id=stream_id("crm", "opportunity"),
                    customer_id=customers[who] if who < 3 else None, outcome=outcome, reason=reason, start_us=at - HOUR,
                    due_us=at, at_us=at, value_us=value if reason in ("in_time", "late", "early") else None,
                    money_minor=minor, currency=currency,
                )
            )  # fmt: skip
        rebuild_rollups(conn)
    return Company(world)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = Store.open(f"sqlite:///{tmp_path_factory.mktemp('sli') / 'sli.sqlite'}")
    yield store
    store.close()


@given(drawn=EVENTS, end=NEAR, length=st.integers(1, 100 * HOUR))
def test_a_window_counts_exactly_what_lies_in_it(
    scratch: Store, drawn: list[tuple[Any, ...]], end: int, length: int
) -> None:
    company = fill(scratch, drawn, watermark_us=end)
    found = company.figure(end, window_us=length)
    inside = [e for e in drawn if end - length <= e[0] <= end]
    ahead = [e for e in drawn if e[0] > end >= e[0] - HOUR and e[1][0] != "excluded"]
    expected = Counter(e[1] for e in inside)
    expected["pending", "not_due"] += len(ahead)
    assert found.reasons == {key: n for key, n in expected.items() if n}
    good, bad = (sum(n for (o, _), n in expected.items() if o == word) for word in ("good", "bad"))
    assert found.last_ratio == (Fraction(good, good + bad) if good + bad else None)
    for currency in ("EUR", "USD"):
        lost = sum(e[5] for e in inside if e[1][0] == "bad" and e[3] == currency)
        assert found.money.get("bad", {}).get(currency, 0) == lost
    values = [e[6] for e in inside if e[1][1] in ("in_time", "late", "early")]
    assert found.p50_us == (round(float(np.percentile(values, 50))) if values else None)
    assert found.incomplete_count == sum(1 for e in inside if e[1] == ("bad", "missing"))


@given(drawn=EVENTS)
def test_the_slices_sum_up_to_the_whole(scratch: Store, drawn: list[tuple[Any, ...]]) -> None:
    company, now = fill(scratch, drawn), T0 + 5 * DAY
    whole = company.figure(now)
    with company.world.store.read() as conn:
        for by in ("entity", "platform", "segment", "customer", "currency"):
            parts = [figure for _, figure in slices(conn, MODEL, now, SLI, by)]
            for word in ("good", "bad", "pending", "blind", "excluded"):
                assert sum(getattr(p, word) for p in parts) == getattr(whole, word), (by, word)
        for label, part in slices(conn, MODEL, now, SLI, "entity"):
            if label:
                assert figures(conn, MODEL, now, Filters(entity=label), [SLI])[0].good == part.good
        for grain in ("hour", "day"):
            points = series(conn, MODEL, SLI, T0 - 10 * DAY, T0 + 10 * DAY, grain)
            assert sum(p.good for p in points) == sum(1 for e in drawn if e[1][0] == "good")
            assert sum(p.bad for p in points) == sum(1 for e in drawn if e[1][0] == "bad")


@given(drawn=EVENTS, as_of=NEAR)
def test_as_of_an_instant_nothing_later_has_happened(scratch: Store, drawn: list[tuple[Any, ...]], as_of: int) -> None:
    # What was late then had come by then: what came later was missing, and the events of then would say so.
    known = [(at, *rest, min(value, as_of - (at - HOUR))) for at, *rest, value in drawn]
    company = fill(scratch, known)
    then, now = company.figure(T0 + 30 * DAY, as_of_us=as_of), company.figure(as_of)
    assert then.reasons == now.reasons
    assert then.window_to_us <= as_of


def event(at_us: int, outcome: tuple[str, str] = ("good", "in_time"), **more: Any) -> tuple[Any, ...]:
    fields = {"entity": "DE", "currency": "EUR", "who": 0, "minor": 100, "value": HOUR} | more
    return (at_us, outcome, *fields.values())


def test_nothing_decided_is_no_data_not_perfection(scratch: Store) -> None:
    found = fill(scratch, [event(T0, ("blind", "not_visible")), event(T0, ("excluded", "test"))]).figure(T0 + DAY)
    assert (found.ratio, found.last_ratio, found.status, found.blind) == (None, None, "no_data", 1)
    assert found.budget_remaining is None


def test_a_stream_that_never_completed_gives_no_data(scratch: Store) -> None:
    company = fill(scratch, [event(T0)])
    company.world.see("erp", "order", watermark_us=None)
    found = company.figure(T0 + DAY)
    assert (found.ratio, found.status, found.horizon_us, found.coverage) == (None, "no_data", None, 0)


def test_green_expires_when_coverage_falls_below_its_minimum(scratch: Store) -> None:
    company = fill(scratch, [event(T0)], watermark_us=T0 + DAY)
    fresh, stale = company.figure(T0 + DAY), company.figure(T0 + 40 * DAY)
    assert (fresh.ratio, fresh.coverage) == (1, 1)
    assert (stale.ratio, stale.last_ratio, stale.status) == (None, 1, "no_data")
    assert stale.coverage == Fraction(28 * DAY, 28 * DAY + 39 * DAY)


def test_meeting_the_objective_exactly_is_met_and_one_more_failure_is_not(scratch: Store) -> None:
    met = [event(T0 + n) for n in range(99)] + [event(T0, ("bad", "late"))]
    assert fill(scratch, met).figure(T0 + DAY).status == "met"
    assert fill(scratch, met).figure(T0 + DAY).budget_remaining == 0
    assert fill(scratch, [*met, event(T0, ("bad", "late"))]).figure(T0 + DAY).status == "missed"


@pytest.mark.parametrize("on", [(2026, 11, 1), (2026, 10, 31), (2026, 3, 31), (2028, 2, 29), (2026, 12, 31)])
def test_a_calendar_month_begins_at_midnight_of_its_entitys_zone(scratch: Store, on: tuple[int, int, int]) -> None:
    zone = ZoneInfo("Europe/Berlin")
    end = to_us(datetime(*on, 23, 30, tzinfo=zone))
    begin = to_us(datetime(on[0], on[1], 1, tzinfo=zone))
    drawn = [event(begin - 1), event(begin), event(end)]
    company = fill(scratch, drawn, watermark_us=end, sli="invoice_sync_success")
    for platform, kind in company.world.streams:
        company.world.see(platform, kind, first_complete_us=begin - 90 * DAY)
    found = company.figure(end, "invoice_sync_success", entity="DE")
    assert (found.window_from_us, found.good) == (begin, 2)


@pytest.mark.parametrize(
    "end", ["2026-11-30T23:30", "2026-12-01T02:00", "2026-11-15T12:00", "2026-10-31T20:00", "2028-02-29T16:00"]
)
def test_each_entity_counts_the_month_of_its_own_books_in_the_whole_too(scratch: Store, end: str) -> None:
    name, until = "invoice_sync_success", to_us(datetime.fromisoformat(end).replace(tzinfo=UTC))

    def begin(zone: str) -> int:
        local = datetime.fromtimestamp(until // SECOND, ZoneInfo(zone))
        return to_us(datetime(local.year, local.month, 1, tzinfo=ZoneInfo(zone)))

    begins = {entity: begin(zone) for entity, zone in (*ZONES.items(), ("", "UTC"))}
    at = sorted({b + off for b in begins.values() for off in (-1, 0, 1, HOUR)} | {until})
    drawn = [event(a, entity=entity) for a in at for entity in begins]
    company = fill(scratch, drawn, watermark_us=until, sli=name)
    for platform, kind in company.world.streams:
        company.world.see(platform, kind, first_complete_us=until - 90 * DAY)
    deals = [
        {"id": n, "stream_id": stream_id("crm", "opportunity"), "kind": "opportunity", "external_id": f"o{n}", "test": False,
         "first_observed_us": T0, "observed_us": T0, "version_count": 1, "digest": b"x"}
        for n in range(len(drawn))
    ]  # fmt: skip
    with company.world.store.write() as conn:
        conn.execute(insert(table(RecordRow)), deals)
    expected = {entity: sum(1 for a in at if b <= a <= until) for entity, b in begins.items()}
    whole = company.figure(until, name)
    assert (whole.good, whole.window_from_us) == (sum(expected.values()), min(begins.values()))
    with company.world.store.read() as conn:
        parts = dict(slices(conn, MODEL, until, name, "entity"))
        listed = events(conn, MODEL, until, name, Filters(), limit=None)
    assert {entity: part.good for entity, part in parts.items()} == expected
    assert Counter(row.entity for row in listed if row.outcome == "good") == expected
    for entity in ZONES:
        own = company.figure(until, name, entity=entity)
        assert (own.good, own.window_from_us) == (expected[entity], begins[entity])
        assert parts[entity].window_from_us == begins[entity]


def test_a_burn_rate_of_one_spends_the_budget_exactly_over_the_window(scratch: Store) -> None:
    drawn = [event(T0 + n) for n in range(99)] + [event(T0, ("bad", "late"))]
    company, now = fill(scratch, drawn, watermark_us=T0 + MINUTE), T0 + MINUTE
    with company.world.store.read() as conn:
        rates = burn(conn, MODEL, now, SLI, HOUR, 5 * MINUTE)
        assert (rates.long, rates.short, rates.long_valid, rates.long_bad) == (1, 1, 100, 1)
        empty = burn(conn, MODEL, now, SLI, SECOND, SECOND)
    assert (empty.long, empty.short) == (None, None)


def test_percentiles_interpolate_between_neighbours_and_count_what_never_came(scratch: Store) -> None:
    rng = random.Random(1)
    values = [rng.randrange(-HOUR, 9 * HOUR) for _ in range(20)]
    drawn = [event(T0 + n, value=v) for n, v in enumerate(values)] + [event(T0, ("bad", "missing"))]
    found = fill(scratch, drawn).figure(T0 + DAY)
    ordered = sorted(values)
    assert found.p50_us == round((ordered[9] + ordered[10]) / 2)
    assert found.p95_us == round(ordered[18] + (ordered[19] - ordered[18]) * 0.05)
    assert found.incomplete_count == 1


def answers(company: Company) -> list[Any]:
    """Return every figure and list there is of made-up events, narrowed in every way."""
    one, now = record_id("crm", "customer", "a1"), T0 + 5 * DAY
    ways = (
        {}, {"entity": "DE"}, {"segment": "smb"}, {"customer_id": one}, {"customer_id": one, "segment": "smb"},
        {"platform": "crm"}, {"as_of_us": T0 + HOUR}, {"as_of_us": T0, "customer_id": one}, {"window_us": 9 * HOUR},
    )  # fmt: skip
    found: list[Any] = []
    with company.world.store.read() as conn:
        for way in ways:
            filters = Filters(**way)
            found.append(figures(conn, MODEL, now, filters, [SLI]))
            found += [
                slices(conn, MODEL, now, SLI, by, filters)
                for by in ("entity", "platform", "segment", "customer", "currency")
            ]
            found.append(series(conn, MODEL, SLI, T0 - 3 * DAY, now, "hour", filters))
            found.append(burn(conn, MODEL, now, SLI, DAY, HOUR, filters))
    return found


def test_sqlite_and_postgresql_give_the_same_figures_however_narrowed(scratch: Store, postgres: str) -> None:
    rng = random.Random(7)
    drawn = [
        (
            T0 + rng.randrange(-72, 72) * HOUR, rng.choice(OUTCOMES), rng.choice(["DE", "US", ""]),
            rng.choice(["EUR", "USD", None]), rng.randrange(4), rng.randrange(-10**9, 10**9), rng.randrange(-5 * HOUR, 50 * HOUR),
        )
        for _ in range(80)
    ]  # fmt: skip
    told = answers(fill(scratch, drawn))
    other = Store.open(postgres)
    assert answers(fill(other, drawn)) == told
    assert sum(len(found) for found in told if isinstance(found, list)) > 100
    other.close()


def test_the_figure_of_a_customer_is_its_slice(scratch: Store) -> None:
    drawn = [event(T0 + n * HOUR, who=n % 4, outcome=OUTCOMES[n % 4]) for n in range(40)]
    company, now = fill(scratch, drawn), T0 + 5 * DAY
    with company.world.store.read() as conn:
        parts = dict(slices(conn, MODEL, now, SLI, "customer"))
        for number in range(3):
            one = record_id("crm", "customer", f"a{number}")
            whole = figures(conn, MODEL, now, Filters(customer_id=one), [SLI])[0]
            part = parts[str(one)]
            assert (whole.reasons, whole.money, whole.incomplete_count) == (
                part.reasons,
                part.money,
                part.incomplete_count,
            )
            assert whole.good + whole.bad == 10
