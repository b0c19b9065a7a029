"""How does a test see the e-mail we send? A real SMTP server (aiosmtpd) that keeps what it accepts and can refuse."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from . import lab


@dataclass(frozen=True)
class Mail:
    """One accepted message with its envelope."""

    sender: str
    recipients: tuple[str, ...]
    message: EmailMessage

    @property
    def text(self) -> str:
        """Return the plain-text body."""
        body = self.message.get_body(("plain",))
        assert body is not None, "the message has no plain-text part"
        return str(body.get_content()).replace("\r\n", "\n")


@dataclass
class SmtpSink:
    """What arrived, in order; `refuse` holds replies to give, one per message, before accepting again."""

    port: int
    mails: list[Mail] = field(default_factory=list)
    refuse: list[str] = field(default_factory=list)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep the message, or answer with the next refusal."""
        if self.refuse:
            return self.refuse.pop(0)
        content = envelope.content if isinstance(envelope.content, bytes) else (envelope.content or "").encode()
        message = email.message_from_bytes(content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self.mails.append(Mail(envelope.mail_from or "", tuple(envelope.rcpt_tos), message))
        return "250 OK"


@pytest.fixture
def smtp_sink() -> Iterator[SmtpSink]:
    """Run an SMTP server on a loopback port for this test."""
    (port,) = lab.free_ports(1)
    sink = SmtpSink(port)
    controller = Controller(sink, hostname="127.0.0.1", port=sink.port)
    controller.start()
    try:
        yield sink
    finally:
        controller.stop()
