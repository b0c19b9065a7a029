"""What a message says: fixed sentences around the facts that were stored with the transition.

There is no template language: names and texts of platforms are only ever values, never parsed. Because the facts are
stored, a message that leaves an hour late says what was true then. Channels only lay it out and escape it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from probes.clock import duration_text, from_us
from probes.money import MoneyError, money_text

from .findings import Facts, Member, Severity

NAME_LENGTH = 120
TEXT_LENGTH = 600
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_VERBS = {
    "firing": "New",
    "updated": "More documents",
    "released": "Still open",
    "resolved": "Resolved",
    "acknowledged": "Taken on",
}
_QUIET = ("resolved", "acknowledged")
"""Nobody needs to do anything about these, so they say neither money in their headline nor what to do."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message for one channel. `subject` stays the same over an episode, `headline` says what happened now.

    `key` is the same however often it is sent; `thread` binds the messages of one episode.
    """

    key: str
    thread: str
    kind: str
    severity: Severity
    subject: str
    headline: str
    lines: tuple[tuple[str, str], ...]
    links: tuple[tuple[str, str], ...]
    at_us: int


def clean(text: str, length: int = NAME_LENGTH) -> str:
    """Return text on one line without control or direction characters, at most `length` characters."""
    flat = "".join(_visible(c) for c in text)
    short = " ".join(flat.split())
    return short if len(short) <= length else short[: length - 1] + "…"


def address(url: str) -> str:
    """Return a web address with everything escaped that could end it early where it is shown. Source: RFC 3986."""
    return quote(url, safe="%/:?#[]!$&'()*+,;=~", errors="replace")


def _visible(char: str) -> str:
    if char in _BIDI or unicodedata.category(char) == "Cs":
        return "\ufffd"
    return " " if unicodedata.category(char) in ("Cc", "Zl", "Zp") else char


def sums(amounts: Mapping[str, int]) -> str:
    """Return amounts per currency in one line; currencies are never added up."""
    return " + ".join(_amount(minor, currency) for currency, minor in sorted(amounts.items()))


def _amount(minor: int, currency: str) -> str:
    try:
        return money_text(minor, currency).replace("\u00a0", " ").replace("\u202f", " ")
    except MoneyError:
        return f"{minor} minor units of {clean(currency, 12)}"


def instant(us: int) -> str:
    """Return an instant to the minute, in UTC and saying so."""
    return f"{from_us(us):%Y-%m-%d %H:%M} UTC"


def compose(kind: str, facts: Facts, *, key: str, alert: str, episode: int, public_url: str | None) -> Message:
    """Write the message about one transition."""
    links = [] if facts.first is None or not facts.first.link else [("Open the record", facts.first.link)]
    if public_url:
        target = f"{public_url}/alerts" + ("" if kind == "digest" else f"?alert={alert}")
        links.insert(0, ("Open in Tieout", target))
    return Message(
        key=key,
        thread=f"alert-{alert}-{episode}",
        kind=kind,
        severity=facts.severity,
        subject=clean(f"[Tieout] {facts.title}", 200),
        headline=clean(sentence(kind, facts), 240),
        lines=tuple(_lines(kind, facts)),
        links=tuple((label, address(url)) for label, url in links if url.startswith(("http://", "https://"))),
        at_us=facts.at_us,
    )


def sentence(kind: str, facts: Facts) -> str:
    """Return one plain line for headlines, lists and terminals: what happened, and while it is open what it is worth."""
    title = clean(facts.title, 200)
    parts = [title if kind == "digest" else f"{_VERBS.get(kind, kind)}: {title}"]
    if facts.documents and kind not in _QUIET:
        parts.append(_count(facts.documents, "document"))
    if (facts.late or facts.lost) and kind not in _QUIET:
        parts.append(_money_line(facts))
    return ", ".join(parts)


def _lines(kind: str, facts: Facts) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = [("Severity", facts.severity)]
    if facts.note:
        rows.append(("Note", clean(facts.note, TEXT_LENGTH)))
    if facts.who:
        rows.append(("By", clean(facts.who)))
    if facts.comment:
        rows.append(("Comment", clean(facts.comment, TEXT_LENGTH)))
    rows += _document_lines(kind, facts)
    rows += [(clean(label, 40), clean(text, TEXT_LENGTH)) for label, text in facts.details]
    if facts.scope.owner:
        rows.append(("Owner", clean(facts.scope.owner)))
    if facts.advice and kind not in _QUIET:
        rows.append(("What to do", clean(facts.advice, TEXT_LENGTH)))
    rows += _time_lines(kind, facts)
    return rows


def _document_lines(kind: str, facts: Facts) -> list[tuple[str, str]]:
    if not facts.documents:
        return []
    affected = _count(facts.documents, "document")
    if facts.customers:
        affected += f" of {_count(facts.customers, 'customer')}"
    if facts.new_documents:
        affected += f", {_count(facts.new_documents, 'document')} new"
    over = kind == "resolved"
    rows = [("Last affected" if over else "Affected", affected)]
    if facts.late or facts.lost:
        rows.append(("Was at risk" if over else "Money at risk", _money_line(facts)))
    if facts.unpriced:
        rows.append(("Without amount", _count(facts.unpriced, "document")))
    if facts.first:
        rows.append(("First", first_text(facts.first)))
    return rows


def _money_line(facts: Facts) -> str:
    parts = [(sums(facts.late), "late"), (sums(facts.lost), "lost")]
    return "; ".join(f"{text} {word}" for text, word in parts if text)


def first_text(member: Member) -> str:
    """Return one document in words: what it is, whose, how much, when it was due."""
    name = member.number or member.external_id
    text = f"{clean(member.kind.replace('_', ' '), 40)} {clean(name)} on {clean(member.platform, 60)}"
    if member.customer:
        text += f", {clean(member.customer)}"
    if member.money_minor is not None and member.currency is not None:
        text += f", {_amount(member.money_minor, member.currency)}"
    if member.due_us is not None:
        text += f", due {instant(member.due_us)}"
    return text


def _time_lines(kind: str, facts: Facts) -> list[tuple[str, str]]:
    rows = []
    if kind == "resolved":
        lasted = duration_text(max(0, facts.at_us - facts.since_us))
        rows.append(("Lasted", f"{lasted}, from {instant(facts.since_us)} to {instant(facts.at_us)}"))
    elif kind != "digest":
        rows.append(("Since", instant(facts.since_us)))
    seen = "" if facts.as_of_us is None else f"; platforms read up to {instant(facts.as_of_us)}"
    rows.append(("As of", instant(facts.at_us) + seen))
    return rows


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}" + ("" if n == 1 else "s")
