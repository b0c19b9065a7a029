"""How a message reaches Slack (or what speaks its incoming webhooks): Block Kit within every limit.

What comes from platforms stands in plain-text objects and is escaped all the same; only our own words are markup. A webhook
cannot edit or thread, so each message stands alone. Source: https://docs.slack.dev/messaging/formatting-message-text
"""

from __future__ import annotations

import json
import logging
import re
from http.client import HTTPException
from typing import Any, Literal

from slack_sdk.errors import SlackClientError
from slack_sdk.webhook import WebhookClient, WebhookResponse

from alerts.channels import ChannelError
from alerts.message import Message
from alerts.secrets import Reference, SecretError, resolve
from alerts.spec import Section

TIMEOUT_SECONDS = 10
HEADER_LENGTH, FIELD_LENGTH, TEXT_LENGTH, BLOCKS_LENGTH = 150, 2000, 3000, 12_000
FIELDS_PER_SECTION = 10
URL_LENGTH = 2900
# Slack's own words for "this webhook will never work again" and "this message will never be accepted".
_GONE = frozenset({401, 403, 404, 410})
_UNACCEPTABLE = frozenset({400, 413, 422})
_MENTION = re.compile(r"@(?=(here|channel|everyone)\b)", re.IGNORECASE)
_SILENT = logging.getLogger("alerts.channels.slack.client")
_SILENT.setLevel(logging.CRITICAL)  # the client logs the webhook URL, which is the secret


class Settings(Section):
    """`webhook` is the incoming webhook's URL, given as env:NAME or file:PATH because whoever knows it can post."""

    kind: Literal["slack"] = "slack"
    webhook: Reference


def secrets(settings: Settings) -> tuple[str, ...]:
    """Return the secret references these settings name."""
    return (settings.webhook,)


def send(settings: Settings, message: Message) -> str | None:
    """Post one message. Errors: ChannelError."""
    try:
        url = resolve(settings.webhook)
    except SecretError as error:
        raise ChannelError(str(error), permanent=True) from None
    if not url.startswith(("https://", "http://")):
        raise ChannelError(f"the webhook in {settings.webhook} is no http(s) address", permanent=True)
    client = WebhookClient(url, timeout=TIMEOUT_SECONDS, logger=_SILENT, retry_handlers=[])
    try:
        answer = client.send_dict(payload(message))
    except (OSError, HTTPException, SlackClientError, ValueError) as error:
        raise ChannelError(f"Slack was not reached: {_cause(error)}") from None
    _judge(answer)
    return None


def _cause(error: Exception) -> str:
    reason = getattr(error, "reason", None)
    return type(reason if isinstance(reason, Exception) else error).__name__


def _judge(answer: WebhookResponse) -> None:
    word = str(answer.body or "").strip()
    if answer.status_code == 200:
        if word != "ok":
            raise ChannelError(
                "the webhook answered 200 without Slack's `ok`: is the address right, is a proxy in between?"
            )
        return
    text = f"Slack answered {answer.status_code}" + (f" {word}" if re.fullmatch(r"[a-z_]{2,40}", word) else "")
    if answer.status_code == 429:
        raise ChannelError(text, retry_after_seconds=_retry_after(answer.headers))
    if answer.status_code in _GONE:
        raise ChannelError(f"{text}: make a new incoming webhook and put it in place", permanent=True)
    if answer.status_code in _UNACCEPTABLE and word not in ("invalid_token", "user_not_found"):
        raise ChannelError(text, permanent=True, fault="message")
    raise ChannelError(text, permanent=400 <= answer.status_code < 500 and answer.status_code != 408)


def _retry_after(headers: Any) -> float | None:
    text = str(headers.get("Retry-After", "")).strip()
    return float(text) if re.fullmatch(r"\d{1,6}", text) else None


def escape(text: str) -> str:
    """Escape exactly & < > and take the power from @here and its like. Source: Slack's formatting guide."""
    inert = _MENTION.sub("@\u2060", text)
    return inert.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cut(text: str, length: int) -> str:
    """Escape, then cut without leaving half an entity behind."""
    out = escape(text)
    while len(out) > length:
        text = text[: max(0, len(text) - max(1, (len(out) - length) // 5)) - 1] + "…" if len(text) > 1 else ""
        out = escape(text)
    return out


def _plain(text: str, length: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": _cut(text, length) or "–", "emoji": False}


def _link(label: str, url: str) -> str:
    safe = url.replace("&", "&amp;").replace("<", "%3C").replace(">", "%3E").replace("|", "%7C")
    return f"<{safe}|{escape(label).replace('|', '/')}>"


def payload(message: Message) -> dict[str, Any]:
    """Return the request body. Shape: header, sections of fields, links, within 50 blocks and 12,000 characters."""
    blocks: list[dict[str, Any]] = [{"type": "header", "text": _plain(message.headline, HEADER_LENGTH)}]
    tail: list[dict[str, Any]] = []
    links = " · ".join(_link(label, url) for label, url in message.links if len(url) <= URL_LENGTH // 2)
    if links:
        tail.append({"type": "section", "text": {"type": "mrkdwn", "text": links, "verbatim": True}})
    fields = [_plain(f"{label}\n{text}", FIELD_LENGTH) for label, text in message.lines]
    blocks += _sections(fields, BLOCKS_LENGTH - len(json.dumps(blocks + tail)))
    return {
        "text": _cut(f"{message.headline} ({message.severity})", TEXT_LENGTH),
        "mrkdwn": False,
        "link_names": False,
        "unfurl_links": False,
        "unfurl_media": False,
        "blocks": blocks + tail,
        "metadata": {"event_type": "tieout_alert", "event_payload": {"key": message.key, "thread": message.thread}},
    }


def _sections(fields: list[dict[str, Any]], budget: int) -> list[dict[str, Any]]:
    kept: list[dict[str, Any]] = []
    for field in fields:
        budget -= len(json.dumps(field)) + 40
        if budget < 0:
            break
        kept.append(field)
    step = FIELDS_PER_SECTION
    return [{"type": "section", "fields": kept[i : i + step]} for i in range(0, len(kept), step)]
