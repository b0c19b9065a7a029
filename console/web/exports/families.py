"""Which numbers are exported to other monitors, under which names: from the same computation as the pages.

Labels are few and bounded: sli, flow, entity, platform, currency, outcome. No customer, document or message is ever a label.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from sqlalchemy import Connection, func, select

from alerts.queries import open_alerts
from console.web import figures
from console.web.context import Console
from console.web.data import as_of, ask
from metrics import risk
from metrics.queries.breaks import BREAK, EXCEPTION
from metrics.queries.flows import states
from metrics.queries.heads import STREAM
from metrics.queries.platforms import RUN, PlatformHealth, platforms
from metrics.sli import Filters

LABELS = ("sli", "flow", "entity", "platform", "currency", "outcome")
_MICRO = 1_000_000


def families(console: Console) -> list[Metric]:
    """Return every metric family of one instant."""
    now_us = as_of(console)

    def question(conn: Connection) -> list[Metric]:
        return [*_about(now_us), *_slis(console, now_us), *_business(conn, console, now_us), *_platforms(conn, now_us)]

    return ask(console, ("openmetrics", now_us), question)


def _gauge(name: str, help: str, labels: Sequence[str], rows: Iterable[tuple[Sequence[str], Any]]) -> Metric:
    assert set(labels) <= set(LABELS), f"{name}: {labels} are not all among the bounded labels"
    family = GaugeMetricFamily(f"tieout_{name}", help, labels=labels)
    for values, number in rows:
        if number is not None:
            family.add_metric(list(values), float(number))
    return family


def _about(now_us: int) -> Iterator[Metric]:
    try:
        release = version("tieout")
    except PackageNotFoundError:
        release = "unknown"
    yield InfoMetricFamily("tieout_build", "Which Tieout this is.", value={"version": release})
    yield _gauge(
        "as_of_timestamp_seconds",
        "The instant these figures are of: they are made beside the scrapes, at most two minutes ahead.",
        (),
        [((), now_us / _MICRO)],
    )


def _slis(console: Console, now_us: int) -> Iterator[Metric]:
    found = figures.figures(console, Filters(), now_us)
    each = [((f.name, f.flow or ""), f) for f in found]
    by = ("sli", "flow")
    yield _gauge(
        "sli_ratio",
        "Good among good and bad in the objective's window; absent while there is no data.",
        by,
        ((k, f.ratio) for k, f in each if f.status != "no_data"),
    )
    yield _gauge("sli_objective_ratio", "What the ratio should reach.", by, ((k, f.objective) for k, f in each))
    yield _gauge(
        "sli_coverage_ratio",
        "Share of the window in which every stream read was seen.",
        by,
        ((k, f.coverage) for k, f in each),
    )
    yield _gauge(
        "sli_met",
        "1 when the objective is met, 0 when missed; absent while there is no data.",
        by,
        ((k, f.status == "met") for k, f in each if f.status != "no_data"),
    )
    yield _gauge(
        "sli_horizon_timestamp_seconds",
        "Up to when everything this SLI reads is known.",
        by,
        ((k, None if f.horizon_us is None else f.horizon_us / _MICRO) for k, f in each),
    )
    yield _gauge(
        "slo_error_budget_remaining_ratio",
        "Share of the error budget left; negative when overspent.",
        by,
        ((k, f.budget_remaining) for k, f in each),
    )
    outcomes = ("good", "bad", "pending", "blind", "excluded")
    yield _gauge(
        "sli_subjects",
        "Subjects in the objective's window by outcome.",
        (*by, "outcome"),
        (((*k, o), getattr(f, o)) for k, f in each for o in outcomes),
    )
    for name in ("p50", "p95", "p99"):
        yield _gauge(
            f"sli_latency_{name}_seconds",
            f"Latency of completed subjects, {name}.",
            by,
            ((k, None if (v := getattr(f, f"{name}_us")) is None else v / _MICRO) for k, f in each),
        )


def _business(conn: Connection, console: Console, now_us: int) -> Iterator[Metric]:
    at_risk = risk.at_risk(conn, console.model, now_us, Filters())
    rows = [
        ((currency, outcome), getattr(m, f"{outcome}_minor"))
        for currency, m in at_risk.items()
        for outcome in ("late", "lost")
    ]
    yield _gauge(
        "money_at_risk_minor_units",
        "Money of distinct late or lost documents, in minor units of the currency.",
        ("currency", "outcome"),
        rows,
    )
    standing = states(conn)
    yield _gauge(
        "flow_documents",
        "Documents of a flow by where they stand.",
        ("flow", "outcome"),
        (((flow, s), n) for flow, found in sorted(standing.items()) for s, n in sorted(found.items())),
    )
    by_entity = select(BREAK.c.entity, func.count()).where(BREAK.c.closed_us.is_(None)).group_by(BREAK.c.entity)
    yield _gauge(
        "breaks_open",
        "Open differences between platforms, by legal entity.",
        ("entity",),
        (((entity,), n) for entity, n in conn.execute(by_entity.order_by(BREAK.c.entity))),
    )
    waiting = conn.execute(
        select(func.count()).select_from(EXCEPTION).where(EXCEPTION.c.closed_us.is_(None))
    ).scalar_one()
    yield _gauge("exceptions_open", "What waits for a person to handle it.", (), [((), waiting)])
    counts: dict[str, int] = dict.fromkeys(("pending", "firing", "acknowledged"), 0)
    for alert in open_alerts(conn):
        counts[alert.state] = counts.get(alert.state, 0) + 1
    yield _gauge("alerts_open", "Open alerts by state.", ("outcome",), (((s,), n) for s, n in sorted(counts.items())))


def _platforms(conn: Connection, now_us: int) -> Iterator[Metric]:
    known = platforms(conn, now_us)
    yield _gauge(
        "platform_up",
        "1 while every stream's last poll was complete.",
        ("platform",),
        (((p.name,), p.state not in ("failing", "never")) for p in known),
    )
    yield _gauge(
        "platform_watermark_timestamp_seconds",
        "Up to when every stream of the platform is known.",
        ("platform",),
        (((p.name,), None if p.watermark_us is None else p.watermark_us / _MICRO) for p in known),
    )
    yield _gauge(
        "platform_clock_skew_seconds",
        "The platform's clock minus ours.",
        ("platform",),
        (((p.name,), None if p.skew_us is None else p.skew_us / _MICRO) for p in known),
    )
    yield _gauge(
        "platform_quota_used_ratio",
        "Share of the platform's call allowance that is used.",
        ("platform",),
        (((p.name,), p.quota.used / p.quota.limit if p.quota and p.quota.limit else None) for p in known),
    )
    yield _gauge(
        "platform_quarantined_rows",
        "Rows held back because they could not be mapped.",
        ("platform",),
        (((p.name,), sum(s.quarantined for s in p.streams)) for p in known),
    )
    yield _runs(conn, known)


def _runs(conn: Connection, known: Sequence[PlatformHealth]) -> Metric:
    joined = select(STREAM.c.platform, RUN.c.status, func.count()).join(STREAM, STREAM.c.id == RUN.c.stream_id)
    counts = {(p, s): n for p, s, n in conn.execute(joined.group_by(STREAM.c.platform, RUN.c.status))}
    family = CounterMetricFamily("tieout_poll_runs", "Poll runs by how they ended.", labels=("platform", "outcome"))
    for platform in known:
        for status in ("complete", "partial", "suspect", "failed"):
            family.add_metric([platform.name, status], counts.get((platform.name, status), 0))
    return family
