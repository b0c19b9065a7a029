"""Can the sandbox be driven over HTTP and from a shell, and does it write its files?"""

import csv
import json
import os
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from probes.sandbox import App, Clock, Company, inject, serve, served_app

from .conftest import START_AT, lived


def test_the_control_api_injects_shows_and_repairs(web: httpx.Client) -> None:
    made = web.post("/control/inject", json={"fault": "O01", "count": 2, "at": None, "entity": "NW-DE"}).json()[
        "entries"
    ]
    assert [entry["kind"] for entry in made] == ["missing_in_target"] * 2
    assert web.post("/control/advance", json={"seconds": 5 * 3600}).json() == {"now": "2026-11-19T19:00:00Z"}
    shown = web.get("/control/journal", params={"fault": "O01", "open": "1", "milestones": "1"}).json()
    assert [entry["subject"]["object"] for entry in shown["entries"]] == ["Opportunity"] * 2
    assert {"deal_won", "order_in_erp"} <= {milestone["kind"] for milestone in shown["milestones"]}
    mended = web.post("/control/repair", json={"id": made[0]["id"]}).json()["repaired"]
    assert mended[0]["repaired_at"] == "2026-11-19T19:00:00Z"
    assert len(web.post("/control/repair", json={"fault": "O01"}).json()["repaired"]) == 1
    state = web.get("/control/state").json()
    assert state["now"] == "2026-11-19T19:00:00Z"
    assert "O01" in state["faults"]


def test_the_control_api_plans_for_an_instant(web: httpx.Client) -> None:
    planned = web.post("/control/inject", json={"fault": "I01", "at": "2026-11-19T15:00:00+00:00"}).json()
    assert planned == {"entries": [], "planned": True}
    web.post("/control/advance", json={"seconds": 3600})
    assert len(web.get("/control/journal", params={"fault": "I01"}).json()["entries"]) == 1


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("inject", {"count": 1}),
        ("inject", {"fault": "O99"}),
        ("inject", {"fault": "O01", "at": "2026-11-19T15:00:00"}),
        ("inject", {"fault": "O01", "at": "2020-01-01T00:00:00+00:00"}),
        ("repair", {}),
        ("advance", {"seconds": -1}),
        ("advance", {"seconds": "soon"}),
    ],
)
def test_a_wrong_command_is_refused_with_an_example(web: httpx.Client, path: str, body: dict[str, object]) -> None:
    answered = web.post(f"/control/{path}", json=body)
    assert answered.status_code == 400
    assert answered.json()["message"]


def test_repairing_nothing_is_not_found(web: httpx.Client) -> None:
    assert web.post("/control/repair", json={"fault": "O01"}).status_code == 404


def test_the_integration_log_grows_and_the_account_export_is_whole(tmp_path: Path) -> None:
    company = lived(data_dir=tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "integration-log.jsonl").read_text().splitlines()]
    assert {"at", "message_id", "flow", "key", "step", "status"} <= set(lines[0])
    assert [line["at"] for line in lines] == sorted(line["at"] for line in lines)
    assert {line["flow"] for line in lines} >= {"orders", "invoices", "customers"}
    company.advance_to(START_AT + timedelta(days=1))
    assert len((tmp_path / "integration-log.jsonl").read_text().splitlines()) > len(lines)
    with (tmp_path / "crm-accounts.csv").open(encoding="utf-8", newline="") as file:
        exported = {row["Id"] for row in csv.DictReader(file)}
    assert exported
    assert exported <= set(company.world.salesforce["Account"])


def test_the_key_of_the_erp_client_is_kept_between_starts(tmp_path: Path) -> None:
    first = served_app(lived(data_dir=tmp_path, history_days=2), Clock(0))
    second = served_app(lived(data_dir=tmp_path, history_days=2), Clock(0))
    assert first.private_key_pem == second.private_key_pem == (tmp_path / "netsuite-private-key.pem").read_bytes()


def test_a_clock_may_run_faster_than_real_time() -> None:
    real = [100.0]
    clock = Clock(0, speed=60.0, monotonic=lambda: real[0])
    real[0] += 2
    assert clock.now_us() == 120_000_000
    clock.step(1)
    assert clock.now_us() == 121_000_000


def test_a_cut_connection_breaks_off_in_the_middle_of_the_body() -> None:
    company = lived(history_days=3)
    running = serve(company, clock=Clock(company.start_us))
    try:
        inject(company.world, "P01", platform="stripe", variant="cut")
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(f"{running.base_url}/stripe/v1/balance")
        assert httpx.get(f"{running.base_url}/control/state").status_code == 200
    finally:
        running.stop()


def test_a_hanging_platform_times_out_and_blocks_no_other() -> None:
    company = lived(history_days=3)
    running = serve(company, clock=Clock(company.start_us))
    try:
        inject(company.world, "P01", platform="stripe", variant="timeout", hang_seconds=1.0)
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(f"{running.base_url}/stripe/v1/balance", timeout=0.2)
        assert httpx.get(f"{running.base_url}/salesforce/services/data").status_code == 200
    finally:
        running.stop()


def test_a_taken_port_is_an_error() -> None:
    company = Company(1, START_AT, 1, 0.05)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            serve(company, base_port=taken.getsockname()[1])


def test_the_module_starts_from_a_shell_and_says_where(tmp_path: Path) -> None:
    arguments = ["--port", "0", "--history-days", "4", "--scale", "0.1", "--data-dir", str(tmp_path), "--seed", "3"]
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "probes.sandbox", *arguments]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True, env=os.environ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("sandbox ready at http://127.0.0.1:")
            state = httpx.get(f"{line.split()[-1]}/control/state").json()
            assert (state["seed"], state["speed"]) == (3, 1.0)
            skew = datetime.now(UTC) - datetime.fromisoformat(state["now"])
            assert abs(skew) < timedelta(seconds=2)
        finally:
            process.terminate()


def test_an_app_in_process_answers_unknown_mounts(app: App) -> None:
    with httpx.Client(transport=httpx.WSGITransport(app=app), base_url="http://sandbox") as client:
        assert client.get("/sap").status_code == 404
