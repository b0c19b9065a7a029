"""Does every mistake in tieout.yaml name its file, its line, and what to write instead?"""

from __future__ import annotations

from pathlib import Path

import pytest

from console.run.settings import find_config, load_settings, settings_from_text
from console.run.yaml_source import ConfigError
from probes.clock import MINUTE, SECOND

HERE = Path("/company/tieout.yaml")
GOOD = """
platforms:
  crm:
    vendor: salesforce
    url: https://northwind.my.salesforce.com
    auth: {client_id: abc, client_secret: env:SF_SECRET}
entities:
  NW-DE: {time_zone: Europe/Berlin, currency: EUR}
console: {port: 9000, refresh: 30s}
"""


def refusal(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        settings_from_text(text, HERE)
    return str(caught.value).splitlines()


def test_a_good_file_becomes_settings() -> None:
    settings = settings_from_text(GOOD, HERE)
    assert settings.platforms["crm"].vendor == "salesforce"
    assert settings.metrics.entities["NW-DE"].currency == "EUR"
    assert settings.console.refresh == 30 * SECOND
    assert settings.console.url == "http://127.0.0.1:9000"
    assert settings.store_url == "sqlite:////company/.tieout/tieout.sqlite"
    assert settings.demo is None


def test_an_empty_file_has_every_default() -> None:
    settings = settings_from_text("", HERE)
    assert settings.platforms == {}
    assert settings.scheduler.lease == MINUTE // 2


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("platfroms: {}\n", 1, "Did you mean `platforms`?"),
        ("company: A\nentities:\n  NW-DE: {currencyy: EUR}\n", 3, "currencyy"),
        ("console:\n  port: 99999\n", 2, "65535"),
        ("console:\n  port: eight\n", 2, "'eight'"),
        ("console:\n  refresh: 10 parsecs\n", 2, "write for example 90s"),
        ("console:\n  refresh: 10\n", 2, "10 has no unit; write for example 10s"),
        ("calendars:\n  office:\n    time_zone: Berlin\n    hours: {mon: 09:00-17:00}\n", 3, "IANA name"),
        ("calendars:\n  office:\n    time_zone: UTC\n    hours: {mon: 9-5}\n", 2, "09:00-17:30"),
        ("console:\n  prot: 80\n", 2, "Did you mean `port`?"),
        ("console: 8080\n", 1, "must be a mapping"),
        ("console:\n  public_url: tieout.example.com\n", 2, "https://"),
        ("store: mysql://x/y\n", 1, "sqlite:///FILE or postgresql://"),
        ("store: 7\n", 1, "env:NAME"),
        ("store: env:NO_SUCH_VARIABLE\n", 1, "export it"),
        ("store: file:/no/such/file\n", 1, "cannot read"),
        ("store: postgresql://me:secret@db/x\n", 1, "env:NAME"),
        ("platforms:\n  crm:\n    url: https://x\n", 2, "`vendor:` is missing"),
        ("platforms:\n  crm:\n    vendor: salesforce\n    rolls: [crm]\n", 4, "rolls"),
        ("scheduler:\n  lease: 0s\n", 2, "at least 1s"),
        ("watched_since: yesterday\n", 1, "watched_since"),
        ("alerts:\n  burst: 0\n", 2, "greater than or equal to 1"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_what_to_write(text: str, line: int, words: str) -> None:
    told = refusal(text)
    assert len(told) == 1
    assert told[0].startswith(f"/company/tieout.yaml:{line}: ")
    assert words in told[0]


def test_all_mistakes_are_told_at_once() -> None:
    assert len(refusal("console: {port: 0}\nstore: mysql://x/y\nplatforms:\n  crm: {url: x}\nplatfroms: {}\n")) == 4


@pytest.mark.parametrize(
    "text",
    [
        "platforms:\n  crm: {vendor: salesforce, auth: {client_id: a, client_secret: hunter2}}\n",
        "console: {api_token: hunter2}\n",
        "store: postgresql://me:hunter2@db/x\n",
        "alerts: {channels: {ops: {kind: slack, webhook: 'https://hooks.slack.com/hunter2'}}}\n",
        "platforms:\n  crm: {vendor: salesforce, auth: {client_secret: [hunter2]}}\n",
    ],
)
def test_a_secret_written_into_the_file_is_refused_and_not_repeated(text: str) -> None:
    told = "\n".join(refusal(text))
    assert "hunter2" not in told


def test_mixing_production_and_test_is_refused() -> None:
    told = refusal("platforms:\n  a: {vendor: stripe}\n  b: {vendor: stripe, environment: test}\n")
    assert "mixed" in told[0]


def test_a_named_store_replaces_the_configured_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = settings_from_text("store: sqlite:///a.sqlite\n", HERE, store="sqlite:///b.sqlite")
    assert settings.store_url == f"sqlite:///{tmp_path / 'b.sqlite'}"


def test_a_configuration_is_looked_for_where_the_demo_leaves_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TIEOUT_CONFIG", raising=False)
    assert find_config(None) == Path("tieout.yaml")
    (tmp_path / ".tieout").mkdir()
    (tmp_path / ".tieout" / "tieout.yaml").write_text("company: Demo\n")
    assert load_settings().metrics.company == "Demo"
    (tmp_path / "tieout.yaml").write_text("company: Mine\n")
    assert load_settings().metrics.company == "Mine"
    monkeypatch.setenv("TIEOUT_CONFIG", ".tieout/tieout.yaml")
    assert load_settings().metrics.company == "Demo"
