"""How does RabbitMQ's management API answer? Overview, queues, peeking at messages; it consumes nothing."""

import json
import re
from collections.abc import Callable
from typing import Any

from werkzeug.wrappers import Request, Response

from probes.sandbox.apis.web import Handler, Served, answer, mount
from probes.sandbox.clock import iso_seconds, to_instant
from probes.sandbox.world import Row

USER, PASSWORD = "monitor", "sandbox-rabbitmq"
_VERSION = "4.1.4"


def refuse(status: int, code: str, message: str) -> Response:
    """Make an error in RabbitMQ's shape."""
    return answer(
        {"error": "Object Not Found" if status == 404 else code, "reason": "Not Found" if status == 404 else message},
        status,
    )


def app(served: Served) -> Callable[..., Any]:
    """Build the WSGI app; servers decode `%2F`, so the default vhost is put back before routing."""
    rules: list[tuple[str, str, Handler]] = [
        ("/api/overview", "GET", _guarded(_overview)),
        ("/api/nodes", "GET", _guarded(_nodes)),
        ("/api/queues", "GET", _guarded(_queues)),
        ("/api/queues/detailed", "GET", _guarded(_queues)),
        ("/api/queues/%2F", "GET", _guarded(_queues)),
        ("/api/queues/%2F/<name>", "GET", _guarded(_queue)),
        ("/api/queues/%2F/<name>/get", "POST", _guarded(_get)),
        ("/api/health/checks/alarms", "GET", _guarded(_healthy)),
        ("/api/deprecated-features/used", "GET", _guarded(_nothing)),
        ("/api/exchanges", "GET", _guarded(_nothing)),
        ("/api/policies", "GET", _guarded(_nothing)),
    ]
    routed = mount(
        served, "rabbitmq", [(path.replace("%2F", "_vhost"), method, h) for path, method, h in rules], refuse
    )

    def decoded(environ: dict[str, Any], start_response: Any) -> Any:
        path = str(environ["PATH_INFO"]).replace("%2F", "/").replace("%2f", "/")
        path = re.sub(
            r"^/api/queues//(?=/)", "/api/queues/_vhost", re.sub(r"^/api/queues//$", "/api/queues/_vhost", path)
        )
        return routed(environ | {"PATH_INFO": path}, start_response)

    return decoded


def _guarded(handler: Handler) -> Handler:
    def checked(served: Served, request: Request, **arguments: str) -> Response:
        given = request.authorization
        if given is None or (given.username, given.password) != (USER, PASSWORD):
            response = answer({"error": "not_authorized", "reason": "Login failed"}, 401)
            response.headers["WWW-Authenticate"] = 'Basic realm="RabbitMQ Management"'
            return response
        return handler(served, request, **arguments)

    return checked


def _row(served: Served, name: str) -> Row:
    messages, counts = served.world.queues[name], served.world.queue_counts[name]
    head = min((m["died_us"] if "died_us" in m else m["published_us"] for m in messages.values()), default=None)
    dead = name.endswith(".dlq")
    consumers = 0 if dead or name in served.world.stalled else 1
    arguments = {} if dead else {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": f"{name}.dlq"}
    stats: Row = {key: value for key, value in counts.items() if value}
    stats |= {f"{key}_details": {"rate": 0.0} for key in list(stats)}
    return {
        "name": name, "vhost": "/", "type": "classic", "state": "running", "durable": True, "messages": len(messages),
        "messages_ready": len(messages), "messages_unacknowledged": 0, "consumers": consumers, "node": "rabbit@sandbox",
        "consumer_utilisation": None, "arguments": arguments, "policy": None, "memory": 20_000, "auto_delete": False,
        "idle_since": to_instant(served.now_us()).isoformat(timespec="milliseconds"), "message_stats": stats,
        "head_message_timestamp": None if head is None else head // 1_000_000, "exclusive": False,
    }  # fmt: skip


def _overview(served: Served, request: Request) -> Response:
    ready = sum(len(messages) for messages in served.world.queues.values())
    published = sum(counts["publish"] for counts in served.world.queue_counts.values())
    return answer({
        "rabbitmq_version": _VERSION, "erlang_version": "27.3", "cluster_name": "rabbit@sandbox", "node": "rabbit@sandbox",
        "queue_totals": {"messages": ready, "messages_ready": ready, "messages_unacknowledged": 0},
        "object_totals": {"connections": 3, "channels": 3, "consumers": 3, "queues": len(served.world.queues), "exchanges": 7},
        "message_stats": {"publish": published, "publish_details": {"rate": 0.0}}, "statistics_db_event_queue": 0,
        "disable_stats": False,
    })  # fmt: skip


def _nodes(served: Served, request: Request) -> Response:
    node = {"name": "rabbit@sandbox", "running": True, "mem_used": 10**8, "mem_limit": 10**9, "mem_alarm": False}
    node |= {"disk_free": 10**10, "disk_free_limit": 10**8, "disk_free_alarm": False, "fd_used": 40, "fd_total": 1024}
    return answer([node | {"uptime": served.now_us() // 1000 % 10**9, "partitions": []}])


def _queues(served: Served, request: Request) -> Response:
    rows = [_row(served, name) for name in served.world.queues]
    total = len(rows)
    wanted = request.args.get("name")
    if wanted:
        by_pattern = request.args.get("use_regex") == "true"
        rows = [r for r in rows if (re.search(wanted, r["name"]) if by_pattern else wanted in r["name"])]
    sort = request.args.get("sort")
    if sort in ("name", "messages", "messages_ready"):
        rows.sort(key=lambda row: row[sort], reverse=request.args.get("sort_reverse") == "true")
    columns = request.args.get("columns")
    if columns:
        rows = [{name: row[name] for name in columns.split(",") if name in row} for row in rows]
    if "page" not in request.args:
        return answer(rows)
    number, size = int(request.args["page"]), int(request.args.get("page_size", "100"))
    if not 1 <= size <= 500 or number < 1:
        return refuse(400, "bad_request", "page must be >= 1 and page_size 1..500")
    items = rows[(number - 1) * size : number * size]
    body = {"filtered_count": len(rows), "item_count": len(items), "items": items, "page": number}
    return answer(body | {"page_count": max(1, -(-len(rows) // size)), "page_size": size, "total_count": total})


def _queue(served: Served, request: Request, name: str) -> Response:
    return answer(_row(served, name)) if name in served.world.queues else refuse(404, "not_found", name)


def _get(served: Served, request: Request, name: str) -> Response:
    """Show messages from the head of a queue and put them back, marked as redelivered."""
    body = request.get_json(silent=True)
    if name not in served.world.queues:
        return refuse(404, "not_found", name)
    if not isinstance(body, dict) or body.get("ackmode") not in ("ack_requeue_true", "reject_requeue_true"):
        return refuse(400, "bad_request", "this broker is read-only: use ackmode ack_requeue_true")
    waiting = list(served.world.queues[name].values())
    found = [
        _message(name, message, len(waiting) - n - 1) for n, message in enumerate(waiting[: int(body.get("count", 1))])
    ]
    for message in waiting[: int(body.get("count", 1))]:
        message["redelivered"] = True
    return answer(found)


def _message(queue: str, message: Row, behind: int) -> Row:
    payload = json.dumps(message["payload"])
    properties: Row = {
        "message_id": message["message_id"],
        "content_type": "application/json",
        "delivery_mode": 2,
        "headers": {},
    }
    properties["timestamp"] = message["published_us"] // 1_000_000
    if "died_us" in message:
        death = {
            "queue": message["flow"],
            "reason": "rejected",
            "count": 1,
            "exchange": "",
            "routing-keys": [message["flow"]],
        }
        death["time"] = message["died_us"] // 1_000_000
        properties["headers"] = {
            "x-death": [death], "x-first-death-queue": message["flow"], "x-first-death-reason": "rejected",
            "x-error": message["reason"], "x-died-at": iso_seconds(message["died_us"]),
        }  # fmt: skip
    return {
        "payload_bytes": len(payload), "redelivered": message.get("redelivered", False), "exchange": "", "routing_key": queue,
        "message_count": behind, "properties": properties, "payload": payload, "payload_encoding": "string",
    }  # fmt: skip


def _healthy(served: Served, request: Request) -> Response:
    return answer({"status": "ok"})


def _nothing(served: Served, request: Request) -> Response:
    return answer([])
