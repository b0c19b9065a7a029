"""Is every rule and every key of tieout.yaml documented, with its true default and examples that load?"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from alerts.channels import channels
from alerts.rules import rules
from alerts.rules.burn_rate import Tier
from alerts.settings import AlertSettings, FlapSettings, Route
from alerts.spec import Common
from console.run.settings import ConsoleSettings, DemoSettings, SchedulerSettings, settings_from_text
from metrics.calendar_settings import CalendarSettings, WindowSettings
from metrics.definitions import EntitySettings, MetricsSettings, PostingGroup
from metrics.identity.settings import IdentitySettings, Key
from probes.mapspec import Condition, FieldSpec, KeySpec, ReferenceSpec
from probes.settings import PlatformSettings, StreamSettings

from .documented import DOCS, fields, rows, sections, wrong

ALERTS, CONFIGURATION = sections("alerts.md"), sections("configuration.md")
SECTIONS: dict[str, type[BaseModel]] = {
    "top level": MetricsSettings,
    "entities": EntitySettings,
    "posting group": PostingGroup,
    "calendars": CalendarSettings,
    "windows": WindowSettings,
    "identity": IdentitySettings,
    "platforms": PlatformSettings,
    "streams": StreamSettings,
    "fields": FieldSpec,
    "keys": KeySpec,
    "references": ReferenceSpec,
    "conditions": Condition,
    "alerts": AlertSettings,
    "routes": Route,
    "flapping": FlapSettings,
    "console": ConsoleSettings,
    "scheduler": SchedulerSettings,
    "demo": DemoSettings,
    **{name: channel.Settings for name, channel in channels().items()},
}


def test_every_rule_has_a_heading_and_every_heading_a_rule() -> None:
    assert set(ALERTS) == {"every rule", *rules()}


def test_the_keys_of_every_rule_are_those_there_are() -> None:
    known = fields(Common)
    assert list(wrong(rows(ALERTS["every rule"]), known)) == []


@pytest.mark.parametrize("name", rules())
def test_every_setting_of_a_rule_is_told_with_its_default(name: str) -> None:
    common = fields(Common)
    known = {key: field for key, field in fields(rules()[name].Spec).items() if key not in common}
    if name == "burn_rate":
        known |= fields(Tier, "tiers[].")
    assert list(wrong(rows(ALERTS[name]), known)) == []


@pytest.mark.parametrize("name", rules())
def test_the_example_of_a_rule_loads(name: str) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", ALERTS[name], flags=re.DOTALL)
    (spec,) = AlertSettings.model_validate(yaml.safe_load(example)["alerts"]).rules
    assert spec.rule == name


def test_every_section_has_a_heading_and_every_heading_a_section() -> None:
    assert set(CONFIGURATION) == set(SECTIONS)


@pytest.mark.parametrize("heading", SECTIONS)
def test_every_key_of_a_section_is_told_with_its_default(heading: str) -> None:
    known = fields(SECTIONS[heading])
    if heading == "identity":
        known |= fields(Key, "keys[].")
    assert list(wrong(rows(CONFIGURATION[heading]), known)) == []


def test_the_example_of_a_configuration_loads() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", (DOCS / "configuration.md").read_text("utf-8"), flags=re.DOTALL)
    settings = settings_from_text(example, Path("tieout.yaml"))
    assert set(settings.platforms) == {"crm", "billing"}


def test_a_wrong_table_would_be_noticed() -> None:
    class Model(BaseModel):
        here: int = 3
        there: str

    told = {"here": "4", "gone": "–"}
    assert len(list(wrong(told, fields(Model)))) == 3
