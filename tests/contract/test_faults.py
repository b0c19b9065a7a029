"""What a poll says when a platform is down, refuses calls or hides something: never a complete poll, never a wrong reason."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import stamina

from probes.errors import Reason
from probes.platform import BoundStream
from probes.poll import PollReport, poll
from probes.record import Record
from probes.sandbox import inject, repair
from probes.throttle import Throttle

from .worlds import World

pytestmark = pytest.mark.xdist_group("contract")  # one worker builds the world

PLATFORMS = {
    "salesforce": "opportunity",
    "stripe": "invoice",
    "netsuite": "invoice",
    "zendesk": "ticket",
    "rabbitmq": "queue",
}


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    stamina.set_testing(True, attempts=3, cap=True)
    yield
    stamina.set_testing(False)


@contextmanager
def fault(world: World, name: str, **parameters: Any) -> Iterator[None]:
    inject(world.company.world, name, **parameters)
    try:
        yield
    finally:
        repair(world.company.world, fault=name)


def stream(world: World, vendor: str, name: str | None = None) -> BoundStream:
    platform = world.platforms[vendor]
    platform.session.client.throttle = Throttle()
    return next(one for one in platform.streams if one.spec.name == (name or PLATFORMS[vendor]))


def polled(world: World, one: BoundStream) -> tuple[list[Record], PollReport]:
    polling = poll(one, {}, clock=world.now)
    records = [record for page in polling for record in page.records]
    return records, polling.report


@pytest.mark.parametrize("vendor", sorted(PLATFORMS))
@pytest.mark.parametrize(
    ("variant", "reason"),
    [
        ("500", Reason.SERVER),
        ("502", Reason.SERVER),
        ("503", Reason.SERVER),
        ("cut", Reason.CUT),
        ("timeout", Reason.SERVER),
    ],
)
def test_a_platform_that_is_down_fails_the_poll_and_mends_with_it(
    world: World, vendor: str, variant: str, reason: Reason
) -> None:
    one = stream(world, vendor)
    polled(world, one)
    try:
        with fault(world, "P01", platform=vendor, variant=variant):
            records, report = polled(world, one)
    except ValueError as error:
        pytest.fail(f"the sandbox does not play {variant}: {error}")
    assert (records, report.status, report.reason, report.watermark_us) == ([], "failed", reason, None)
    assert not report.permanent
    assert polled(world, stream(world, vendor))[1].status == "complete"


@pytest.mark.parametrize("vendor", ["salesforce", "stripe", "netsuite", "zendesk"])
def test_refused_calls_are_throttling_whatever_status_the_vendor_gives_them(world: World, vendor: str) -> None:
    one = stream(world, vendor)
    with fault(world, "P03", platform=vendor):
        _, report = polled(world, one)
    assert (report.status, report.reason) == ("failed", Reason.RATE_LIMIT)
    assert report.meter.throttled >= 1
    assert not report.permanent


def test_a_quota_that_runs_out_is_seen_before_it_is_spent(world: World) -> None:
    with fault(world, "P03", platform="salesforce", variant="quota"):
        _, report = polled(world, stream(world, "salesforce"))
    assert report.meter.quota_limit == 100_000
    assert report.meter.quota_used is not None
    assert report.meter.quota_used > 90_000


def test_a_field_that_became_invisible_is_our_querys_fault_and_permanent(world: World) -> None:
    one = stream(world, "netsuite", "order")
    with fault(world, "P11", platform="netsuite", field="transaction.foreigntotal"):
        _, report = polled(world, one)
    assert (report.status, report.reason, report.permanent) == ("failed", Reason.BAD_REQUEST, True)
    assert "foreigntotal" in report.message


def test_an_entity_that_became_invisible_makes_no_error_and_shows_in_the_sweep(world: World) -> None:
    one = stream(world, "netsuite", "order")
    before = {record.id for record in polled(world, one)[0]}
    with fault(world, "P11", platform="netsuite", entity="NW-US"):
        records, report = polled(world, one)
    assert report.status == "complete"
    assert {record.id for record in records} < before
    assert "3" not in {record.entity for record in records}
