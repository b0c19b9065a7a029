"""Does every command give the same answer in every format, and say clearly what was typed wrong?"""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Iterator
from contextlib import closing, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from console.run.checking import check_platforms
from console.run.cli import main
from console.run.commands import __path__ as commands_path
from console.run.commands import check as check_command
from console.run.commands import poll as poll_command
from console.run.output import as_json
from console.run.settings import load_settings
from console.run.workspace import open_workspace
from probes.clock import DAY, from_us

from .conftest import Loaded

pytestmark = pytest.mark.xdist_group("loaded")  # one worker loads the store once

DOC = Path(__file__).resolve().parents[2] / "docs" / "json.md"
SHAPES: tuple[set[str], ...] = ({"minor", "currency", "text"}, {"exact", "decimal"}, {"seconds", "text"})
"""Amounts, ratios and durations look the same everywhere and are documented once."""
ANSWERS = {
    "status": ["status"],
    "sli": ["sli"],
    "sli --by": ["sli", "order_latency", "--by", "entity"],
    "sli --outcome": ["sli", "order_latency", "--outcome", "good"],
    "flows": ["flows"],
    "flows --state": ["flows", "--state", "done"],
    "breaks": ["breaks", "--closed"],
    "exceptions": ["exceptions"],
    "alerts": ["alerts"],
    "alerts --history": ["alerts", "--history"],
    "find": ["find", "C-00042"],
    "rebuild": ["rebuild", "--verify"],
}


@dataclass(frozen=True)
class Done:
    """What a finished command left behind."""

    returncode: int
    stdout: str
    stderr: str


def tieout(loaded: Loaded | None, *arguments: str) -> Done:
    """Run the command line's own entry point, as the installed script does."""
    where = ["--config", loaded.config] if loaded else []
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["tieout", *where, *arguments])
        patch.delenv("TIEOUT_CONFIG", raising=False)
        with pytest.raises(SystemExit) as ended:
            main()
    return Done(int(ended.value.code or 0), out.getvalue(), err.getvalue())


def answer(loaded: Loaded, *arguments: str) -> dict[str, Any]:
    done = tieout(loaded, *arguments, "--format", "json")
    assert done.returncode in (0, 1), done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def keys(value: Any, prefix: str = "") -> Iterator[str]:
    """Yield the paths of a JSON value: `items[].money.late[].minor`."""
    if isinstance(value, dict) and set(value) not in SHAPES:
        for key, inner in value.items():
            yield f"{prefix}{key}"
            yield from keys(inner, f"{prefix}{key}.")
    elif isinstance(value, list):
        for inner in value:
            yield from keys(inner, f"{prefix.removesuffix('.')}[].")


def documented(section: str) -> set[str]:
    """Return the paths that docs/json.md names for a command, those of every answer included."""
    parts = re.split(r"^## ", DOC.read_text("utf-8"), flags=re.M)
    found = {part.partition("\n")[0].strip("` "): part for part in parts}
    text = found["every answer"] + found[f"tieout {section}"]
    return set(re.findall(r"^\| `([^`]+)`", text, flags=re.M))


@pytest.mark.parametrize("name", ANSWERS)
def test_every_key_of_every_answer_is_documented(loaded: Loaded, name: str) -> None:
    found = set(keys(answer(loaded, *ANSWERS[name])))
    assert found
    assert not found - documented(name)


def test_the_first_load_reads_every_stream_and_fails_nowhere(loaded: Loaded) -> None:
    assert loaded.summary.degraded == ()
    assert {p.status for p in loaded.summary.polls} == {"complete"}
    assert sum(p.quarantined for p in loaded.summary.polls) == 0


def test_documents_of_every_flow_are_on_their_way(loaded: Loaded) -> None:
    reached = {i["step"]: i["done"] for i in answer(loaded, "flows")["items"]}
    assert reached["ordered"] > 0
    assert reached["posted"] > 0
    assert reached["activated"] > 0


def test_the_count_of_a_figure_is_the_count_of_its_documents(loaded: Loaded) -> None:
    figure = next(i for i in answer(loaded, "sli")["items"] if i["sli"] == "order_latency")
    for outcome in ("good", "bad", "pending", "blind"):
        rows = answer(loaded, "sli", "order_latency", "--outcome", outcome, "--limit", "1000")["items"]
        assert len(rows) == min(1000, figure[outcome])


def test_slices_by_entity_add_up_to_the_whole(loaded: Loaded) -> None:
    whole = answer(loaded, "sli", "order_latency")["items"][0]
    parts = answer(loaded, "sli", "order_latency", "--by", "entity")["items"]
    assert len(parts) >= 3
    for outcome in ("good", "bad"):
        assert sum(p[outcome] for p in parts) == whole[outcome]


def test_a_filter_by_entity_gives_that_slice(loaded: Loaded) -> None:
    part = next(p for p in answer(loaded, "sli", "order_latency", "--by", "entity")["items"] if p["slice"] == "NW-DE")
    alone = answer(loaded, "sli", "order_latency", "--entity", "NW-DE")["items"][0]
    assert (alone["good"], alone["bad"]) == (part["good"], part["bad"])


def test_csv_holds_the_same_rows_as_json(loaded: Loaded) -> None:
    items = answer(loaded, "sli")["items"]
    rows = list(csv.DictReader(io.StringIO(tieout(loaded, "sli", "--format", "csv").stdout)))
    assert [(r["sli"], r["good"], r["objective.exact"]) for r in rows] == [
        (i["sli"], str(i["good"]), i["objective"]["exact"]) for i in items
    ]


def test_pages_of_a_list_are_its_rows_in_order(loaded: Loaded) -> None:
    whole = answer(loaded, "flows", "--state", "done", "--limit", "7")
    first = answer(loaded, "flows", "--state", "done", "--limit", "3")
    rest = answer(loaded, "flows", "--state", "done", "--limit", "4", "--after", first["next"])
    assert first["items"] + rest["items"] == whole["items"]
    assert len(whole["items"]) == 7


def test_a_table_in_a_pipe_keeps_its_lines_whole(loaded: Loaded) -> None:
    text = tieout(loaded, "sli").stdout
    assert any(line.startswith("order_latency ") for line in text.splitlines())


def test_find_finds_a_customer_on_every_platform_and_says_when_nothing_is_known(loaded: Loaded) -> None:
    account = next(iter(loaded.company.world.salesforce["Account"].values()))
    hits = answer(loaded, "find", account["AccountNumber"])["items"]
    assert any(h["platform"] == "crm" and h["external_id"] == account["Id"] for h in hits)
    nothing = tieout(loaded, "find", "no-such-key-anywhere")
    assert nothing.returncode == 1
    assert "nothing is known as no-such-key-anywhere" in nothing.stdout


def test_rebuild_verify_finds_no_difference(loaded: Loaded) -> None:
    done = tieout(loaded, "rebuild", "--verify", "--format", "json")
    assert done.returncode == 0, done.stdout
    assert all(i["differing"] == 0 for i in json.loads(done.stdout)["items"])


def test_export_writes_openmetrics_and_csv(loaded: Loaded, tmp_path: Path) -> None:
    metrics = tieout(loaded, "export", "openmetrics").stdout
    assert metrics.endswith("# EOF\n")
    assert "tieout_" in metrics
    out = tmp_path / "sli.csv"
    assert tieout(loaded, "export", "csv", "sli", "--out", str(out)).returncode == 0
    assert out.read_text().startswith("sli,")


@pytest.mark.parametrize("name", [n for n in ANSWERS if n != "rebuild"])
def test_every_answer_can_be_of_a_past_instant_and_says_so(loaded: Loaded, name: str) -> None:
    at = from_us(loaded.company.start_us - DAY).replace(microsecond=0)
    then = at.isoformat().replace("+00:00", "Z")
    found = answer(loaded, *ANSWERS[name], "--as-of", then)
    assert found["as_of"] == then
    assert any("latest known" in note for note in found["notes"])
    assert not set(keys(found)) - documented(name)


def test_less_had_happened_at_a_past_instant(loaded: Loaded) -> None:
    then = from_us(loaded.company.start_us - 2 * DAY).isoformat()
    done = [sum(i["done"] for i in answer(loaded, "flows", *more)["items"]) for more in (["--as-of", then], [])]
    assert 0 < done[0] < done[1]
    late = answer(loaded, "find", "C-00042", "--as-of", "2020-01-01")
    assert late["items"] == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sli", "order_latenzy"], "there is no such SLI. There are:"),
        (["sli", "--by", "entity"], "need the NAME of one SLI"),
        (["sli", "--flow", "quote_to_ordr"], "Did you mean quote_to_order?"),
        (["sli", "--platform", "crmm"], "Did you mean crm?"),
        (["sli", "--entity", "NW-FR"], "no such entity"),
        (["sli", "--customer", "Nobody at all"], "tieout find"),
        (["sli", "--customer", " "], "write a name, a number or an id"),
        (["sli", "--segment", "enterprize"], "there is no such segment. Did you mean enterprise?"),
        (["flows", "--state", "lst"], "Did you mean lost?"),
        (["breaks", "--kind", "amount_differ"], "'amount_differs'"),
        (["exceptions", "--kind", "letter"], "'dead_letter'"),
        (["sli", "order_latency", "--outcome", "god"], "'good'"),
        (["breaks", "--after", "page2"], "take it from `next`"),
        (["find", ""], "write the id, number, key or name"),
        (["sli", "--as-of", "yesterday"], "is no instant or day of the calendar. Write"),
        (["sli", "--as-of", "2026-11-31"], "is no instant or day of the calendar. Write"),
        (["sli", "--as-of", ""], "is no instant or day of the calendar. Write"),
        (["sli", "--store", "mysql://x/y"], "--store: mysql is not supported; write sqlite:///FILE"),
        (["sli", "--store", "nonsense"], "--store: write a store URL"),
        (["sli", "--store", "postgresql://nobody@127.0.0.1:1/x"], "Check `store:` or --store"),
        (["sli", "--store", "sqlite:////proc/x.sqlite"], "Check `store:` or --store"),
        (["export", "csv", "breaks", "--out", "/nowhere/x.csv"], "Make its folder"),
        (["sli", "--period", "a while"], "28d, a month such as 2026-10"),
        (["sli", "--period", "2026-13"], "28d, a month such as 2026-10"),
        (["sli", "--period", "2999-01"], "in the future"),
        (["sli", "--as-of", "2026-11-20T12:00:00"], "no time zone"),
        (["sli", "--as-of", "2999-01-01"], "in the future"),
        (["rebuild", "--as-of", "2026-01-01"], "does not narrow"),
        (["export", "csv", "everything"], "name one of"),
        (["flows", "nowhere"], "There are:"),
        (["init", "--out", "{config}"], "left alone"),
        (["init", "--out", "new.yaml", "--platform", "crm"], "NAME=VALUE"),
        (["init", "--out", "new.yaml", "--platform", "crm=sap"], "There are:"),
    ],
)
def test_wrong_input_gets_one_clear_paragraph_and_code_2(loaded: Loaded, arguments: list[str], words: str) -> None:
    done = tieout(loaded, *(a.replace("{config}", loaded.config) for a in arguments))
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("arguments", [["nonsense"], ["sli", "--format", "xml"], ["breaks", "--limit", "0"]])
def test_wrong_usage_ends_with_code_2(loaded: Loaded, arguments: list[str]) -> None:
    done = tieout(loaded, *arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_without_a_configuration_it_says_how_to_write_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = tieout(None, "sli")
    assert done.returncode == 2
    assert "tieout init" in done.stderr


def test_a_store_that_is_no_database_is_named(loaded: Loaded, tmp_path: Path) -> None:
    (tmp_path / "x.sqlite").write_text("this is no database, it is a text of some length")
    done = tieout(loaded, "--store", f"sqlite:///{tmp_path / 'x.sqlite'}", "sli")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_every_command_file_is_a_command(loaded: Loaded) -> None:
    text = tieout(None, "--help").stdout
    for path in Path(commands_path[0]).glob("[a-z]*.py"):
        assert path.stem in text


def test_the_keys_of_a_poll_and_a_check_are_documented(loaded: Loaded) -> None:
    with closing(open_workspace(load_settings(loaded.config), transport=loaded.transport)) as workspace:
        polled = json.loads(as_json(poll_command.answer_of(workspace, loaded.summary)))
        findings = check_platforms(workspace.platforms, lambda _: None)
        checked = json.loads(as_json(check_command.answer_of(workspace, findings)))
    assert not set(keys(polled)) - documented("poll")
    beyond = {k for k in keys(checked) if not k.startswith("items[].record.")}
    assert not beyond - documented("check")


def test_a_check_shows_a_mapped_record_of_every_stream_that_holds_any(loaded: Loaded) -> None:
    with closing(open_workspace(load_settings(loaded.config), transport=loaded.transport)) as workspace:
        findings = check_platforms(workspace.platforms, lambda _: None)
    assert {f.state for f in findings} <= {"ok", "warning"}, [f for f in findings if f.state == "failed"]
    shown = {(f.platform, f.stream) for f in findings if f.record}
    assert {("crm", "opportunity"), ("billing", "invoice"), ("erp", "order"), ("support", "ticket")} <= shown


def test_a_check_of_a_platform_that_is_not_there_fails_with_a_reason(loaded: Loaded) -> None:
    done = tieout(loaded, "check", "--format", "json")  # nobody listens on the sandbox's port in this test
    assert done.returncode == 1
    items = json.loads(done.stdout)["items"]
    assert {i["platform"] for i in items if i["state"] == "failed"} == {
        "crm",
        "billing",
        "erp",
        "support",
        "middleware",
        "runtime",
    }
    assert all(i["reason"] for i in items if i["state"] == "failed")
