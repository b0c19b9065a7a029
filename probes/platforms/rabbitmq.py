"""How RabbitMQ is watched: every queue's depth as samples; what lies in dead-letter queues as records, by peeking.

Peeking requeues what it shows. On quorum queues that counts as a delivery and may itself dead-letter, so only classic queues
are peeked. Statistics lag up to five seconds. Source: rabbitmq.com "HTTP API reference", "Dead Letter Exchanges".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from hashlib import blake2b
from typing import Any
from urllib.parse import quote

import msgspec

from ..clock import SECOND
from ..decode import NotJson, decode
from ..paging import PageSpec, walk
from ..probe import Cursor, Environment, Meter, Page
from ..record import Record, Sample, decode_record, encode_record
from ..request import Request
from ..source import Session, Source

_PAGES = PageSpec(kind="page", param="page", total="page_count", size_param="page_size", size=500)
_COLUMNS = "name,vhost,type,state,messages,messages_ready,messages_unacknowledged,consumers,message_stats"
_GAUGES = ("messages", "messages_ready", "messages_unacknowledged", "consumers")
_RATES = ("publish", "deliver_get", "ack", "redeliver")
TRUNCATE = 50_000


def changes(source: Source, cursor: Cursor, now_us: int, meter: Meter) -> Iterator[Page]:
    """Yield the present state of queues, or of what lies in the dead-letter queues."""
    queues = list(_queues(source.session, meter))
    if source.spec.samples_only:
        at_us = source.session.now_us()
        samples = [sample for queue in queues for sample in _samples(queue, at_us)]
        yield Page([], {}, at_us, samples=samples, last=True, watermark_us=_mark(source, now_us))
        return
    yield from _dead_letters(source, queues, cursor, now_us, meter)


def check(session: Session, meter: Meter) -> Environment:
    """Ask the cluster for its name and version."""
    data = session.client.get("/api/overview", meter).data
    return Environment(str(data.get("cluster_name")), None, data.get("rabbitmq_version"))


def _mark(source: Source, now_us: int) -> int:
    return now_us - source.description.visibility_delay * SECOND


def _queues(session: Session, meter: Meter) -> Iterator[dict[str, Any]]:
    request = Request("/api/queues", (("columns", _COLUMNS),))
    for fetched in walk(session.client, _PAGES, request, "items", meter):
        yield from fetched.rows


def _samples(queue: dict[str, Any], at_us: int) -> Iterator[Sample]:
    labels = {"queue": str(queue.get("name")), "vhost": str(queue.get("vhost"))}
    for name in _GAUGES:
        value = queue.get(name)
        if isinstance(value, int) and not isinstance(value, bool):  # new queues have no figures yet
            yield Sample(f"queue.{name}", at_us, float(value), labels)
    for name in _RATES:
        rate = ((queue.get("message_stats") or {}).get(f"{name}_details") or {}).get("rate")
        if rate is not None:
            yield Sample(f"queue.{name}_rate", at_us, float(rate), labels)


def _dead_letters(
    source: Source, queues: list[dict[str, Any]], cursor: Cursor, now_us: int, meter: Meter
) -> Iterator[Page]:
    """Yield what lies there now, and what lay there last time as it was last seen, but deleted.

    The cursor keeps the records themselves: the broker no longer has a message that was handled, and what it was about
    must stay known.
    """
    held: Mapping[str, Mapping[str, str]] = cursor.get("held") or {}
    present: dict[str, dict[str, str]] = {}
    records, bad = [], []
    for queue in queues:
        if not _is_dead(source, queue):
            continue
        place = f"{queue.get('vhost')}/{queue.get('name')}"
        rows, whole = _peeked(source, queue, meter)
        found, unmapped = source.mapper.page(rows, meter)
        records += found
        bad += unmapped
        shown = {record.id: encode_record(record).decode() for record in found}
        present[place] = shown if whole else {**held.get(place, {}), **shown}
    records += _gone(held, present)
    at_us = source.session.now_us()
    yield Page(records, {"held": present}, at_us, bad, [], True, _mark(source, now_us))


def _gone(held: Mapping[str, Mapping[str, str]], present: Mapping[str, Mapping[str, str]]) -> Iterator[Record]:
    seen = {one for shown in present.values() for one in shown}
    last = {one: body for shown in held.values() for one, body in shown.items() if one not in seen}
    for _, body in sorted(last.items()):
        yield msgspec.structs.replace(decode_record(body), deleted=True)


def _is_dead(source: Source, queue: dict[str, Any]) -> bool:
    patterns = source.description.source.get("queues") or source.session.option("dead_letters") or []
    return queue.get("type", "classic") == "classic" and any(fnmatch(str(queue.get("name")), p) for p in patterns)


def _peeked(source: Source, queue: dict[str, Any], meter: Meter) -> tuple[list[dict[str, Any]], bool]:
    """Return the messages of a queue as rows, and whether these were all."""
    limit = int(source.session.option("peek_limit"))
    path = f"/api/queues/{quote(str(queue['vhost']), safe='')}/{quote(str(queue['name']), safe='')}/get"
    body = {"count": limit, "ackmode": "ack_requeue_true", "encoding": "auto", "truncate": TRUNCATE}
    data = source.client.send(Request(path, method="POST", json=body), meter).data or []
    return [_row(queue, message) for message in data], len(data) < limit


def _row(queue: dict[str, Any], message: dict[str, Any]) -> dict[str, Any]:
    properties = message.get("properties") or {}
    headers = properties.get("headers") if isinstance(properties, dict) else None
    deaths = (headers or {}).get("x-death") or [{}]
    text = str(message.get("payload") or "")
    try:
        payload = decode(text.encode())
    except NotJson:
        payload = {}
    identity = (properties.get("message_id") if isinstance(properties, dict) else None) or _digest(text, deaths[0])
    death = {"reason": "unknown", **deaths[0]}
    return {"id": identity, "queue": queue.get("name"), "payload": payload, "properties": properties, "death": death}


def _digest(text: str, death: dict[str, Any]) -> str:
    return blake2b(f"{text}\n{death.get('time')}".encode(), digest_size=12).hexdigest()
