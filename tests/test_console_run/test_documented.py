"""Is every rule and every key of tieout.yaml documented, with its true default and examples that load?"""

from __future__ import annotations

import re

import pytest
import yaml
from pydantic import BaseModel

from alerts.rules import rules
from alerts.rules.burn_rate import Tier
from alerts.settings import AlertSettings
from alerts.spec import Common

from .documented import fields, rows, sections, wrong

ALERTS = sections("alerts.md")


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


def test_a_wrong_table_would_be_noticed() -> None:
    class Model(BaseModel):
        here: int = 3
        there: str

    told = {"here": "4", "gone": "–"}
    assert len(list(wrong(told, fields(Model)))) == 3
