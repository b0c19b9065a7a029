"""Are wrong settings refused with a sentence that helps, and never with a secret in it?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from alerts.channels import channels
from alerts.rules import rules
from alerts.secrets import SecretError, resolve
from alerts.settings import AlertSettings, problems, specs
from metrics.definitions import MetricsSettings, Model
from metrics.loading import load_model

MAIL = {"kind": "email", "host": "mail.example", "from": "t@example.org", "to": ["a@example.org"]}
SLACK = {"kind": "slack", "webhook": "env:HOOK"}


class Named:
    """A platform as far as definitions ask."""

    def __init__(self, name: str, *roles: str) -> None:
        self.name, self.vendor, self.roles = name, "hand", roles

    def link(self, kind: str, external_id: str) -> str | None:
        """Return no link."""
        return None


@pytest.fixture(scope="module")
def model() -> Model:
    """Return what ships, for a company with a CRM, billing and an ERP."""
    return load_model(
        MetricsSettings(), {n: Named(n, r) for n, r in (("crm", "crm"), ("bill", "billing"), ("erp", "erp"))}
    )


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown channel kind": ({"channels": {"a": {"kind": "pigeon"}}}, "'pigeon' is no channel; there are email, slack"),
    "a secret in clear": (
        {"channels": {"a": {"kind": "slack", "webhook": "https://hooks.example/T/B/s3cr3t"}}}, "written env:NAME or file:PATH"),
    "an unknown key of a channel": ({"channels": {"a": {**SLACK, "url": "x"}}}, "url: Extra inputs"),
    "an unknown key": ({"chanels": {}}, "Extra inputs"),
    "an unknown rule": ({"rules": [{"rule": "gut_feeling"}]}, "'gut_feeling' is no rule; there are breaks, bulk_load, burn_rate"),
    "two rules of one name": (
        {"rules": [{"rule": "threshold", "name": "x"}, {"rule": "exceptions", "name": "x"}]}, "two rules are called 'x'"),
    "a route to nowhere": (
        {"channels": {"ops": SLACK}, "routes": [{"channels": ["opps"]}]}, "'opps', which is not under alerts.channels; there are ops"),
    "a severity there is not": (
        {"channels": {"ops": SLACK}, "routes": [{"severity": "high", "channels": ["ops"]}]}, "critical, warning or info"),
    "a duration nobody can read": ({"rules": [{"rule": "platform_down", "for": "soon"}]}, "not a duration"),
    "no address in public_url": ({"public_url": "tieout.example"}, "starts with http"),
    "a line break in a mail address": (
        {"channels": {"m": {**MAIL, "to": ["a@example.org\r\nBcc: v@example.org"]}}}, "no e-mail address"),
    "no recipients": ({"channels": {"m": {**MAIL, "to": []}}}, "to"),
    "a password in the clear": (
        {"channels": {"m": {**MAIL, "tls": "none", "username": "u", "password": "env:P"}}}, "starttls"),
    "a user without a password": ({"channels": {"m": {**MAIL, "username": "u"}}}, "go together"),
    "a measure without a bound": ({"rules": [{"rule": "threshold", "measure": "bad"}]}, "needs a bound"),
    "bounds the wrong way round": ({"rules": [{"rule": "threshold", "below": 9, "above": 3}]}, "must be greater"),
    "a burst of nothing": ({"burst": 0}, "greater than or equal to 1"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_wrong_settings_are_refused_with_what_to_write_instead(what: str) -> None:
    values, told = WRONG[what]
    with pytest.raises(ValidationError) as caught:
        AlertSettings.model_validate(values)
    text = "; ".join(e["msg"] for e in caught.value.errors(include_input=False)) + str(
        [e["loc"] for e in caught.value.errors()]
    )
    assert told in text
    assert "s3cr3t" not in text


def test_without_a_section_there_are_default_rules_and_no_channel(model: Model) -> None:
    empty = AlertSettings()
    assert empty.channels == {}
    assert [s.rule for s in specs(empty, model)] == list(rules())
    assert problems(empty, model) == []


def test_default_rules_watch_only_what_there_is() -> None:
    bare = load_model(MetricsSettings(), {})
    assert [s.rule for s in specs(AlertSettings(), bare)] == ["channel_broken", "exceptions"]


BURN = {"rule": "burn_rate", "sli": "order_latency"}
LOOSE: dict[str, tuple[dict[str, Any], str]] = {
    "a factor that can never fire": (
        {**BURN, "tiers": [{"factor": 200, "long": "1h", "short": "5m", "severity": "critical"}]},
        "factor 200 can never fire for order_latency: at an objective of 0.99 even a total failure burns 100 times"),
    "one bad event that pages": (
        {**BURN, "min_bad": 1}, "one bad event of order_latency would fire factor 14.4 whenever its window holds at most 6 events"),
    "an SLI there is not": ({**BURN, "sli": "speed"}, "no event SLI 'speed'; there are invoice_sync_success"),
    "a flow there is not": ({"rule": "overdue_document", "flow": "x"}, "no flow 'x'; there are"),
    "a platform there is not": ({"rule": "platform_down", "platform": "sap"}, "no platform 'sap'; there are crm, bill, erp"),
    "a threshold on an SLI there is not": ({"rule": "threshold", "sli": "x"}, "no SLI 'x'"),
}  # fmt: skip


@pytest.mark.parametrize("what", LOOSE)
def test_rules_that_make_no_sense_for_the_company_are_named(what: str, model: Model) -> None:
    values, told = LOOSE[what]
    found = problems(AlertSettings.model_validate({"rules": [values]}), model)
    assert found
    assert told in found[0]


def test_enough_events_make_a_single_bad_one_harmless(model: Model) -> None:
    tier = {"factor": 14.4, "long": "1h", "short": "5m", "severity": "critical"}
    loose = {**BURN, "min_bad": 1, "min_valid": 7, "tiers": [tier]}
    assert problems(AlertSettings.model_validate({"rules": [loose]}), model) == []


def test_a_missing_secret_is_a_problem_that_names_where_it_was_looked_for(
    model: Model, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("HOOK", raising=False)
    loose = AlertSettings.model_validate({"channels": {"ops": SLACK}})
    assert problems(loose, model) == [
        "alerts.channels.ops: the secret env:HOOK is not there: set the environment variable HOOK"
    ]
    monkeypatch.setenv("HOOK", "https://hooks.example/x")
    assert problems(loose, model) == []


def test_a_secret_comes_from_a_file_without_its_line_break(tmp_path: Path) -> None:
    (tmp_path / "hook").write_text("https://hooks.example/x\n")
    assert resolve(f"file:{tmp_path / 'hook'}") == "https://hooks.example/x"
    with pytest.raises(SecretError, match="write it into the file"):
        resolve(f"file:{tmp_path / 'other'}")


def test_every_channel_and_rule_in_its_folder_is_found() -> None:
    root = Path(__file__).parents[2] / "alerts"
    for folder, found in (("channels", channels()), ("rules", rules())):
        files = {p.stem for p in (root / folder).glob("*.py")} - {"__init__"}
        assert set(found) == files
        assert all(getattr(m, "__doc__", "") for m in found.values())
