"""What does the integration runtime remember of its work? Workflows and their executions; messages are elsewhere."""

from typing import Any

from probes.sandbox.clock import SECOND_US
from probes.sandbox.records import whole_seconds
from probes.sandbox.world import Row, World

RETENTION_US = 14 * 86_400 * SECOND_US
_MILLI_US = 1000
WORKFLOWS = {
    "orders": ("wfOrdersToErp001", "Won deals to NetSuite"),
    "invoices": ("wfInvoicesErp002", "Stripe invoices to NetSuite"),
    "customers": ("wfCustomersErp03", "Accounts to NetSuite"),
    "contracts": ("wfContractsErp04", "Contract terms to NetSuite"),
    "telemetry": ("wfTelemetry00005", "Usage telemetry"),
    "provisioning": ("wfProvisioning06", "Provision a won deal"),
    "summary": ("wfNightSummary07", "Nightly summary journals"),
    "revenue": ("wfNightRevenue08", "Nightly revenue journal"),
}


def declare(world: World) -> None:
    """List the workflows of the runtime."""
    now = whole_seconds(world.now_us)
    for workflow_id, name in WORKFLOWS.values():
        world.n8n["workflow"][workflow_id] = {
            "id": workflow_id, "name": name, "active": True, "isArchived": False, "created_us": now, "updated_us": now,
            "tags": [], "nodes": [], "settings": {"timezone": "UTC", "executionTimeout": 3600}, "versionId": "1",
        }  # fmt: skip


def begin(world: World, workflow: str, data: dict[str, Any], mode: str = "trigger", node: str = "Trigger") -> Row:
    """Start an execution that carries the given business keys."""
    number = 10_000 + world.next_number("n8n.execution")
    run: Row = {
        "id": str(number), "workflowId": WORKFLOWS[workflow][0], "status": "running", "mode": mode, "retryOf": None,
        "retrySuccessId": None, "started_us": _clock(world), "stopped_us": None, "wait_till_us": None, "node": node,
        "error": None, "customData": {name: str(value) for name, value in data.items() if value is not None},
    }  # fmt: skip
    world.n8n["execution"][run["id"]] = run
    return run


def end(world: World, run: Row, status: str = "success", error: str | None = None, node: str = "NetSuite") -> Row:
    """Finish an execution."""
    run.update(status=status, stopped_us=_clock(world), error=error, node=node, wait_till_us=None)
    return run


def ran(
    world: World, workflow: str, data: dict[str, Any], error: str | None = None, retry_of: Row | None = None
) -> Row:
    """Write down a short execution that ends now, good or with an error; a good retry is noted on what it retries."""
    run = begin(world, workflow, data, "trigger" if retry_of is None else "retry")
    seconds = world.rng("run", run["id"]).uniform(0.4, 7)
    run["started_us"] -= int(seconds * 1000) * _MILLI_US
    end(world, run, "success" if error is None else "error", error)
    if retry_of is not None:
        run["retryOf"] = retry_of["id"]
        if error is None:
            retry_of["retrySuccessId"] = run["id"]
    return run


def _clock(world: World) -> int:
    now = world.clock_us("n8n")
    return now - now % _MILLI_US
