"""Does `tieout init` find, in the sandbox company's own history, what its demo configuration declares by hand?"""

from __future__ import annotations

from pathlib import Path

import pytest

from console.run.measure import KINDS, Measured, cadence_us, measure
from console.run.proposal import Answers, PlatformAnswer, secrets_of, write
from console.run.sampling import sample
from console.run.settings import load_settings, settings_from_text
from probes.clock import MINUTE, SECOND, system_clock

from .conftest import Loaded

pytestmark = pytest.mark.xdist_group("loaded")


@pytest.fixture(scope="module")
def measured(loaded: Loaded) -> Measured:
    """Measure with bare connections: of the demo's configuration only addresses, credentials and entities are kept."""
    bare = {
        name: one.model_copy(update={"streams": {}})
        for name, one in load_settings(loaded.config).platforms.items()
        if name in ("crm", "billing", "erp", "support")
    }
    extra = {("erp", "order"): ["custbody_no_such_field"]}
    return measure(*sample(bare, KINDS, extra, system_clock, lambda _: None, loaded.transport))


@pytest.mark.parametrize(
    ("stream", "path", "to"),
    [
        ("billing/customer", "metadata.salesforce_account_id", "crm/customer/id"),
        ("billing/subscription", "metadata.salesforce_opportunity_id", "crm/opportunity/id"),
        ("erp/customer", "externalid", "crm/customer/id"),
        ("erp/order", "custbody_sf_opportunity", "crm/opportunity/id"),
        ("erp/invoice", "externalid", "billing/invoice/id"),
        ("support/organization", "external_id", "crm/customer/id"),
    ],
)
def test_the_fields_that_carry_the_other_systems_ids_are_found(
    measured: Measured, stream: str, path: str, to: str
) -> None:
    found = {(f"{x.platform}/{x.stream}", x.path): x for x in measured.links}
    link = found[(stream, path)]
    assert link.to == to
    assert link.resolved * 10 >= link.records * 7
    assert link.resolved <= link.filled <= link.records


def test_a_field_that_no_platform_knows_is_left_out_and_breaks_nothing(measured: Measured) -> None:
    assert measured.troubles == ()
    assert not any(x.path == "custbody_no_such_field" for x in measured.links)


def test_the_time_of_a_hop_is_measured(measured: Measured) -> None:
    hop = next(h for h in measured.hops if h.target == "erp/invoice")
    assert hop.count > 30
    assert 0 <= hop.p50_us <= hop.p99_us


def test_a_batch_rhythm_is_seen_and_a_steady_flow_is_none() -> None:
    batches = [n * 15 * MINUTE + 20 * SECOND for n in range(100)]
    assert cadence_us(batches) == 15 * MINUTE
    steady = [n * 67 * SECOND * 7 for n in range(400)]
    assert cadence_us(steady) is None
    assert cadence_us(batches[:10]) is None


def test_what_is_proposed_is_a_configuration_that_loads_and_notifies_nobody(measured: Measured) -> None:
    names = {"crm": "salesforce", "billing": "stripe", "erp": "netsuite"}
    platforms = [
        PlatformAnswer(n, v, f"https://{n}.example.com", "UTC" if n == "erp" else None) for n, v in names.items()
    ]
    answers = Answers("O'Neill: Söhne", tuple(platforms), ("NW-DE", "NO"))
    text = write(answers, measured, {"order_latency": "Order latency"})
    settings = settings_from_text(text, Path("tieout.yaml"))
    assert settings.metrics.company == "O'Neill: Söhne"
    assert set(settings.metrics.entities) == {"NW-DE", "NO"}
    assert settings.metrics.slis["order_latency"] == {"provisional": True}
    order = settings.platforms["erp"].stream("order").references
    assert {r.to for r in order} == {"crm/opportunity/id"}
    assert "proposed: filled in" in text


def test_every_secret_is_proposed_as_an_environment_variable() -> None:
    answers = Answers("A", (PlatformAnswer("crm", "salesforce", "https://x"), PlatformAnswer("pay-1", "stripe", None)))
    assert secrets_of(answers) == ["CRM_CLIENT_ID", "CRM_CLIENT_SECRET", "PAY_1_KEY"]
