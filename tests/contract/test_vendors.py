"""What every vendor owes, whoever writes the next one: found by its file, tried on a platform of its own."""

from __future__ import annotations

import json
from itertools import product

import pytest

from probes.auth import header_auth
from probes.clock import HOUR, MINUTE, SECOND
from probes.errors import ProbeError, Reason
from probes.mapspec import STATES
from probes.platform import BoundStream
from probes.platforms import vendors
from probes.poll import PollReport, poll, sweep
from probes.probe import Cursor, Meter, Page
from probes.record import Record, decode_record, digest, encode_record

from .worlds import SECRETS, World, section

pytestmark = pytest.mark.xdist_group("contract")  # one worker builds the world

VENDORS = sorted(vendors())
DESCRIBED = [f"{vendor}/{stream}" for vendor in VENDORS for stream in vendors()[vendor].streams]
# the sandbox has no contacts
STREAMS = [name for name in DESCRIBED if name != "salesforce/contact"]
# nothing of the sandbox's company falls in these at its start
MAY_BE_EMPTY = {"stripe/refund", "rabbitmq/queue", "rabbitmq/dead_letter"}


def streams(world: World, vendor: str) -> list[BoundStream]:
    return list(world.platforms[vendor].streams)


def stream(world: World, name: str) -> BoundStream:
    vendor, _, wanted = name.partition("/")
    return next(one for one in streams(world, vendor) if one.spec.name == wanted)


def polled(world: World, one: BoundStream, cursor: Cursor) -> tuple[list[Page], PollReport]:
    polling = poll(one, cursor, clock=world.now)
    pages = list(polling)
    return pages, polling.report


def records(pages: list[Page]) -> dict[str, Record]:
    return {record.id: record for page in pages for record in page.records}


def test_every_vendor_has_a_world_to_be_tried_in(world: World) -> None:
    assert sorted(world.platforms) == VENDORS


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_vendor_says_who_it_is(world: World, vendor: str) -> None:
    manifest, platform = vendors()[vendor], world.platforms[vendor]
    assert manifest.title
    assert platform.roles
    assert all("{id}" in link or "/#/" in link for link in manifest.links.values())
    found = platform.check(Meter())
    assert found.account
    assert found.environment in (None, "production")


@pytest.mark.parametrize("name", DESCRIBED)
def test_a_status_is_always_mapped_to_a_state(name: str) -> None:
    vendor, _, stream_name = name.partition("/")
    spec = vendors()[vendor].streams[stream_name].map
    assert spec is not None
    if spec.status is not None:
        assert spec.states or any(not rule.when for rule in spec.state_rules)
    for milestone, state in product(spec.milestones.values(), STATES):
        assert state in STATES
        known = {*spec.states.values(), *(rule.state for rule in spec.state_rules)}
        assert set(milestone.when) <= known, f"{name}: a milestone waits for a state that never comes"


@pytest.mark.parametrize("name", STREAMS)
def test_every_row_of_the_first_load_becomes_a_record(world: World, name: str) -> None:
    one = stream(world, name)
    pages, report = polled(world, one, {})
    assert (report.status, report.message) == ("complete", "")
    assert [row.message for page in pages for row in page.bad] == []
    assert report.meter.unknown_statuses == {}
    found = records(pages)
    assert found or name in MAY_BE_EMPTY
    for record in found.values():
        assert record.kind == one.spec.kind
        assert decode_record(encode_record(record)) == record


@pytest.mark.parametrize("name", STREAMS)
def test_a_few_mapped_records_can_be_shown(world: World, name: str) -> None:
    shown = world.platforms[name.partition("/")[0]].sample(name.partition("/")[2], Meter())
    assert len(shown) <= 3
    assert shown or name in MAY_BE_EMPTY


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_watermark_is_the_windows_end_less_the_delay_even_on_a_quiet_night(world: World, vendor: str) -> None:
    for one in streams(world, vendor):
        pages, first = polled(world, one, {})
        assert first.watermark_us is not None
        assert 0 < world.clock.now_us() - first.watermark_us <= 10 * MINUTE
        assert [page.watermark_us for page in pages if not page.last] == [None] * (len(pages) - 1)
        world.clock.step(30)
        cursor = json.loads(json.dumps(pages[-1].cursor))
        _, second = polled(world, one, cursor)
        assert second.status == "complete"
        assert second.watermark_us == first.watermark_us + 30 * SECOND, one.spec.name


@pytest.mark.parametrize("vendor", VENDORS)
def test_reading_again_from_the_same_cursor_finds_the_same_records(world: World, vendor: str) -> None:
    for one in streams(world, vendor):
        first, second = (polled(world, one, {})[0] for _ in range(2))
        bodies = [{i: digest(encode_record(r)) for i, r in records(pages).items()} for pages in (first, second)]
        assert bodies[0] == bodies[1], one.spec.name


@pytest.mark.parametrize("vendor", VENDORS)
def test_following_from_the_middle_and_loading_anew_tell_the_same_story(world: World, vendor: str) -> None:
    for one in streams(world, vendor):
        if one.spec.samples_only:
            continue
        pages, _ = polled(world, one, {})
        held = records(pages)
        cursor = pages[-1].cursor
        for _ in range(4):
            world.clock.step(1200)
            pages, report = polled(world, one, json.loads(json.dumps(cursor)))
            assert report.status == "complete", report
            held |= records(pages)
            cursor = pages[-1].cursor
        world.clock.step(900)  # what feeds and exports hold back for a minute
        held |= records(polled(world, one, cursor)[0])
        fresh = records(polled(world, one, {})[0])
        missing = {
            i for i, record in fresh.items() if i not in held and (record.created_us or 0) < world.clock.now_us() - HOUR
        }
        assert missing == set(), one.spec.name
        present = {i: record for i, record in held.items() if i in fresh and not record.deleted}
        differing = [i for i, record in present.items() if record != fresh[i]]
        assert differing == [], (one.spec.name, present[differing[0]], fresh[differing[0]])


@pytest.mark.parametrize("vendor", VENDORS)
def test_records_are_found_by_the_keys_a_stream_names_and_sweeps_find_all(world: World, vendor: str) -> None:
    for one in streams(world, vendor):
        held = records(polled(world, one, {})[0])
        if "id" in one.spec.reads_by and held:
            wanted = sorted(held)[:3]
            polling = poll(one, {}, clock=world.now, kind="read", by="id", values=[*wanted, "999999999"])
            assert set(records(list(polling))) >= set(wanted), one.spec.name
            assert polling.report.status == "complete"
        if one.spec.sweeps:
            sweeping = sweep(one, clock=world.now)
            found = {each for ids in sweeping for each in ids}
            assert sweeping.report.status == "complete"
            assert {i for i, record in held.items() if not record.deleted} <= found | _recent(world, held), (
                one.spec.name
            )
        if one.spec.reread_seconds:
            rereading = poll(one, {}, clock=world.now, kind="reread")
            again = records(list(rereading))
            assert rereading.report.status == "complete", rereading.report
            assert set(again) <= set(held) | _recent(world, again)


def _recent(world: World, held: dict[str, Record]) -> set[str]:
    return {i for i, record in held.items() if (record.created_us or 0) > world.clock.now_us() - HOUR}


@pytest.mark.parametrize("vendor", [v for v in VENDORS if vendors()[v].auth.kind != "none"])
def test_a_wrong_secret_is_an_auth_error_that_repeats_no_secret(world: World, vendor: str) -> None:
    platform = world.platforms[vendor]
    client, good = platform.session.client, platform.session.client.auth
    client.auth = header_auth("Authorization", "canary-wrong-key", "Bearer")
    try:
        with pytest.raises(ProbeError) as caught:
            platform.check(Meter())
    finally:
        client.auth = good
    assert caught.value.reason in (Reason.AUTH, Reason.FORBIDDEN)
    assert caught.value.permanent
    assert "canary" not in str(caught.value)
    assert not any(secret in str(caught.value) for secret in SECRETS.values())


def test_the_other_environment_is_refused(world: World) -> None:
    platform = world.platforms["stripe"]
    wrong = platform.session.settings.model_copy(update={"environment": "test"})
    good, platform.session.settings = platform.session.settings, wrong
    try:
        with pytest.raises(ProbeError, match="says it is a production environment") as caught:
            platform.check(Meter())
    finally:
        platform.session.settings = good
    assert caught.value.reason is Reason.ENVIRONMENT


def test_the_section_names_every_vendor_once(world: World, tmp_path_factory: pytest.TempPathFactory) -> None:
    named = [str(one["vendor"]) for one in section(tmp_path_factory.getbasetemp()).values()]
    assert sorted(named) == VENDORS
