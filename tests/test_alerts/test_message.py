"""Is a message the same for ever, and can nothing that a platform shows break out of it? Golden files say what is sent.

After a wanted change write them anew with `TIEOUT_WRITE_GOLDEN=1 pytest tests/test_alerts/test_message.py` and read the diff.
"""

from __future__ import annotations

import json
import os
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest

from alerts.channels import email, slack
from alerts.findings import Facts, Scope, facts_of
from alerts.message import Message, clean, compose, sentence
from probes.clock import HOUR
from tests.servers.slack import message_fault

from .build import NOW, finding, member

GOLDEN = Path(__file__).parent / "golden"
HOSTILE = {
    "mention": "<!channel> <@U012AB> @here & co",
    "link": "<http://evil.example|Acme>",
    "markup": "*bold* _it_ ~st~ `code` </td><script>alert(1)</script>",
    "template": "{{7*7}} {{config}} ${jndi:ldap://x} %n%s {0.__class__}",
    "header": "Acme\r\nBcc: victim@example.org\r\n\r\nbody",
    "direction": "\u202eevil\u2066 GmbH\u200f",
    "control": "A\x00B\x1b[31mC\u2028D\ud800E",
    "long": "x" * 5000,
}
MAIL = email.Settings.model_validate(
    {"kind": "email", "host": "127.0.0.1", "from": "tieout@example.org", "to": ["a@example.org", "b@example.org"]}
)


def message(kind: str = "firing", facts: Facts | None = None, **changes: Any) -> Message:
    """Return the message about the usual finding."""
    known = facts or facts_of(finding(), NOW)
    values: dict[str, Any] = {"key": "k" * 32, "alert": "a" * 16, "episode": 3, "public_url": "https://tieout.example"}
    return compose(kind, known, **{**values, **changes})


def hostile(name: str) -> Message:
    """Return a message in which every free text is the same hostile one."""
    text = HOSTILE[name]
    bad = member(text, number=text, customer=text, platform=text[:200], link=f"https://crm.example/?q={text}")
    found = finding(
        text,
        bad,
        title=f"Overdue: {text}",
        details=((text, text), ("Reason", text)),
        scope=Scope(flow=text, owner=text),
    )
    facts = facts_of(found, NOW)
    return message("acknowledged", Facts(**{**_fields(facts), "who": text, "comment": text, "note": text}))


def _fields(facts: Facts) -> dict[str, Any]:
    return {name: getattr(facts, name) for name in facts.__dataclass_fields__}


def golden(name: str, text: str) -> None:
    """Compare with a golden file, or write it when asked to."""
    path = GOLDEN / name
    if os.environ.get("TIEOUT_WRITE_GOLDEN"):
        path.write_text(text, "utf-8")
    assert path.read_text("utf-8") == text


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text_in_slack(name: str) -> None:
    payload = slack.payload(hostile(name))
    golden(f"slack_{name}.json", json.dumps(payload, indent=1, sort_keys=True, ensure_ascii=True) + "\n")
    assert message_fault(payload) is None


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text_in_mail(name: str) -> None:
    built = hostile(name)
    golden(f"mail_{name}.txt", email.plain(built))
    golden(f"mail_{name}.html", email.markup(built))
    mail = message_from_bytes(email.build(MAIL, built).as_bytes(), policy=default)
    assert mail["Bcc"] is None
    assert mail["To"] == "a@example.org, b@example.org"
    assert "<script" not in email.markup(built)


@pytest.mark.parametrize("name", HOSTILE)
def test_no_part_of_a_slack_message_can_mention_anybody_or_hide_a_link(name: str) -> None:
    payload = slack.payload(hostile(name))
    for text in _texts(payload["blocks"]):
        if text["type"] == "plain_text":
            assert "<" not in text["text"]
            assert ">" not in text["text"]
        else:
            assert text["text"].count("<") == text["text"].count("|") == text["text"].count(">") <= 2
    assert "<" not in payload["text"]
    assert "@here" not in json.dumps(payload)


def _texts(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = [b["text"] for b in blocks if "text" in b]
    return found + [f for b in blocks for f in b.get("fields", [])]


KINDS: dict[str, dict[str, Any]] = {
    "firing": {},
    "updated": {"new_documents": 1},
    "released": {"note": "a silence ended"},
    "resolved": {"at_us": NOW + HOUR, "as_of_us": None},
    "acknowledged": {"who": "kim@example.org", "comment": "calling the integration team"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_message_says_everything_in_plain_words(kind: str) -> None:
    documents = (member("1"), member("2", lost=False, customer_id=8, money_minor=5_000, currency="JPY"), member("3"))
    facts = facts_of(finding("NW-DE", *documents), NOW)
    golden(f"kind_{kind}.txt", email.plain(message(kind, Facts(**{**_fields(facts), **KINDS[kind]}))))


def test_what_to_do_is_said_while_there_is_something_to_do() -> None:
    facts = facts_of(finding("NW-DE", member("1"), advice="Send it again."), NOW)
    assert ("What to do", "Send it again.") in message("firing", facts).lines
    assert "What to do" not in [label for label, _ in message("resolved", facts).lines]


def test_lines_without_value_do_not_appear() -> None:
    facts = facts_of(finding("x", title="Platform erp cannot be read", scope=Scope(platform="erp")), NOW)
    bare = Facts(**{**_fields(facts), "documents": 0, "first": None, "late": {}, "lost": {}})
    labels = [label for label, _ in message(facts=bare).lines]
    assert labels == ["Severity", "Since", "As of"]


def test_an_amount_in_an_unknown_currency_is_shown_and_not_converted() -> None:
    facts = facts_of(finding("x", member("1", currency="BTC", money_minor=5)), NOW)
    assert ("Money at risk", "5 minor units of BTC lost") in message(facts=facts).lines


def test_a_link_that_is_no_web_address_is_left_out() -> None:
    facts = facts_of(finding("x", member("1", link="javascript:alert(1)")), NOW)
    assert message(facts=facts, public_url=None).links == ()


def test_a_slack_message_with_very_much_to_say_stays_within_every_limit() -> None:
    wordy = finding("x", title="T & <b> " * 100, details=tuple((f"Label {n}", "&" * 3000) for n in range(80)))
    payload = slack.payload(message(facts=facts_of(wordy, NOW)))
    assert message_fault(payload) is None
    assert len(payload["blocks"]) <= 50
    assert payload["blocks"][-1]["text"]["text"].startswith("<https://tieout.example/alerts?alert=aaaaaaaaaaaaaaaa|")


def test_a_cut_never_leaves_half_an_entity() -> None:
    for length in range(2, 40):
        cut = slack._cut("a&b<c>" * 10, length)
        assert len(cut) <= length
        assert cut.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "").count("&") == 0


def test_the_same_message_is_the_same_mail_and_hangs_on_its_episode() -> None:
    first, again = email.build(MAIL, message()), email.build(MAIL, message())
    assert first["Message-ID"] == again["Message-ID"] == f"<{'k' * 32}@example.org>"
    over = email.build(MAIL, message("resolved", key="r" * 32))
    assert first["References"] == over["References"] == f"<alert-{'a' * 16}-3@example.org>"
    assert first["Subject"] == over["Subject"]
    assert first["Auto-Submitted"] == "auto-generated"


def test_the_plain_part_comes_first_and_has_only_plain_spaces() -> None:
    parts = [p.get_content_type() for p in email.build(MAIL, message()).iter_parts()]
    assert parts == ["text/plain", "text/html"]
    facts = facts_of(finding("x", member("1", currency="CHF")), NOW)
    assert "\u00a0" not in email.plain(message(facts=facts))


def test_nothing_in_the_html_part_is_fetched_from_anywhere() -> None:
    page = email.markup(message())
    assert not any(word in page for word in ("<img", "<link", "src=", "url(", "@import"))


def test_clean_text_is_one_visible_line() -> None:
    assert clean("a\r\n\tb  c") == "a b c"
    assert clean("x" * 200, 10) == "x" * 9 + "…"


def test_a_sentence_for_lists_names_documents_and_money() -> None:
    facts = facts_of(finding(), NOW)
    assert sentence("firing", facts) == "New: Overdue: order in the ERP (NW-DE), 1 document, €1,200.00 lost"
