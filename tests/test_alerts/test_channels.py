"""What do the channels make of each answer they can get? Real servers on loopback."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from alerts.channels import ChannelError, email, slack
from alerts.findings import facts_of
from alerts.message import Message, compose
from tests.servers.slack import SlackSink
from tests.servers.smtp import SmtpSink

from .build import NOW, finding


@pytest.fixture
def message() -> Message:
    """Return any message."""
    return compose("firing", facts_of(finding(), NOW), key="k" * 32, alert="a" * 16, episode=1, public_url=None)


# --- Slack -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def hook(slack_sink: SlackSink, monkeypatch: pytest.MonkeyPatch) -> slack.Settings:
    """Return settings that post to the stand-in."""
    monkeypatch.setenv("HOOK", slack_sink.url)
    return slack.Settings(webhook="env:HOOK")


ANSWERS: dict[str, tuple[int, str, bool, str]] = {
    "a webhook that was removed": (404, "no_service", True, "channel"),
    "a token that is not valid": (403, "invalid_token", True, "channel"),
    "a token that is not valid, as a bad request": (400, "invalid_token", True, "channel"),
    "a channel that was archived": (410, "channel_is_archived", True, "channel"),
    "blocks that are refused": (400, "invalid_blocks", True, "message"),
    "a message that is too large": (413, "request_entity_too_large", True, "message"),
    "a server error": (500, "server_error", False, "channel"),
    "a request that took too long": (408, "timeout", False, "channel"),
    "a busy server": (503, "<html>busy</html>", False, "channel"),
}


@pytest.mark.parametrize("what", ANSWERS)
def test_slack_answers(what: str, slack_sink: SlackSink, hook: slack.Settings, message: Message) -> None:
    status, word, permanent, fault = ANSWERS[what]
    slack_sink.fail(status, word)
    with pytest.raises(ChannelError) as caught:
        slack.send(hook, message)
    assert (caught.value.permanent, caught.value.fault) == (permanent, fault)
    assert str(status) in str(caught.value)
    assert slack_sink.url not in str(caught.value)
    assert "<html>" not in str(caught.value)


def test_slack_says_when_to_come_back(slack_sink: SlackSink, hook: slack.Settings, message: Message) -> None:
    slack_sink.throttle(retry_after_seconds=30)
    with pytest.raises(ChannelError) as caught:
        slack.send(hook, message)
    assert (caught.value.permanent, caught.value.retry_after_seconds) == (False, 30.0)


def test_an_answer_that_is_not_from_slack_is_no_success(
    slack_sink: SlackSink, hook: slack.Settings, message: Message
) -> None:
    slack_sink.fail(200, "<html>please log in</html>")
    with pytest.raises(ChannelError, match="proxy") as caught:
        slack.send(hook, message)
    assert caught.value.permanent is False


def test_a_slack_that_is_not_there_is_tried_again_and_named_without_its_address(
    monkeypatch: pytest.MonkeyPatch, message: Message, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
    monkeypatch.setenv("HOOK", f"http://127.0.0.1:{port}/services/T/B/s3cr3t")
    with caplog.at_level(0), pytest.raises(ChannelError, match="not reached") as caught:
        slack.send(slack.Settings(webhook="env:HOOK"), message)
    assert caught.value.permanent is False
    assert "s3cr3t" not in str(caught.value) + caplog.text


def test_a_webhook_that_is_no_web_address_is_refused(monkeypatch: pytest.MonkeyPatch, message: Message) -> None:
    monkeypatch.setenv("HOOK", "file:///etc/passwd")
    with pytest.raises(ChannelError, match="no http"):
        slack.send(slack.Settings(webhook="env:HOOK"), message)


# --- e-mail ----------------------------------------------------------------------------------------------------------


def mail(port: int, **changes: Any) -> email.Settings:
    """Return settings for a server on loopback."""
    values = {
        "host": "127.0.0.1",
        "port": port,
        "tls": "none",
        "from": "t@example.org",
        "to": ["a@example.org", "b@example.org"],
    }
    return email.Settings.model_validate({"kind": "email", **values, **changes})


def test_mail_arrives_at_every_recipient(smtp_sink: SmtpSink, message: Message) -> None:
    assert email.send(mail(smtp_sink.port), message) is None
    (got,) = smtp_sink.mails
    assert got.recipients == ("a@example.org", "b@example.org")
    assert got.sender == "t@example.org"
    assert got.message["Subject"] == "[Tieout] Overdue: order in the ERP (NW-DE)"
    assert got.text.startswith("New: Overdue: order in the ERP (NW-DE), 1 document, €1,200.00 lost\n")


@pytest.mark.parametrize(
    ("reply", "permanent"),
    [("451 4.3.0 try later", False), ("452 4.2.2 mailbox full", False), ("554 5.7.1 refused", True)],
)
def test_mail_replies(reply: str, permanent: bool, smtp_sink: SmtpSink, message: Message) -> None:
    smtp_sink.refuse.append(reply)
    with pytest.raises(ChannelError) as caught:
        email.send(mail(smtp_sink.port), message)
    assert (caught.value.permanent, caught.value.fault) == (permanent, "message")
    assert reply[:3] in str(caught.value)


def test_a_mail_server_that_is_not_there_is_tried_again(message: Message) -> None:
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
    with pytest.raises(ChannelError, match="not reached") as caught:
        email.send(mail(port), message)
    assert caught.value.permanent is False


def test_a_mail_server_without_starttls_is_refused_and_sends_nothing(smtp_sink: SmtpSink, message: Message) -> None:
    with pytest.raises(ChannelError, match="STARTTLS") as caught:
        email.send(mail(smtp_sink.port, tls="starttls"), message)
    assert caught.value.permanent is True
    assert smtp_sink.mails == []


class Choosy:
    """Takes mail for a@… only; b@… is unknown, c@… may come later."""

    def __init__(self) -> None:
        self.taken: list[list[str]] = []

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """Answer by the first letter."""
        if address.startswith("a"):
            envelope.rcpt_tos.append(address)
            return "250 OK"
        return "550 5.1.1 unknown" if address.startswith("b") else "450 4.2.1 later"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep whom it went to."""
        self.taken.append(list(envelope.rcpt_tos))
        return "250 OK"


@pytest.fixture
def choosy() -> Iterator[tuple[int, Choosy]]:
    """Run such a server."""
    handler = Choosy()
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    yield port, handler
    controller.stop()


def test_a_refused_recipient_is_noted_while_the_others_get_the_mail(
    choosy: tuple[int, Choosy], message: Message
) -> None:
    assert email.send(mail(choosy[0]), message) == "refused for b@example.org"
    assert choosy[1].taken == [["a@example.org"]]


@pytest.mark.parametrize(("to", "permanent"), [(["b@example.org"], True), (["b@example.org", "c@example.org"], False)])
def test_mail_that_no_recipient_gets_is_dead_only_if_none_may_get_it_later(
    choosy: tuple[int, Choosy], message: Message, to: list[str], permanent: bool
) -> None:
    with pytest.raises(ChannelError, match="no recipient") as caught:
        email.send(mail(choosy[0], to=to), message)
    assert caught.value.permanent is permanent


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a certificate for loopback that nobody else trusts, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture
def guarded(certificate: tuple[Path, Path]) -> Iterator[tuple[int, Choosy]]:
    """Run a server that takes mail only over TLS and from user `tieout` with password `right`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)

    def authenticate(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        good = isinstance(data, LoginPassword) and (data.login, data.password) == (b"tieout", b"right")
        return AuthResult(success=good, handled=False)

    handler = Choosy()
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
    controller = Controller(
        handler,
        hostname="127.0.0.1",
        port=port,
        tls_context=context,
        require_starttls=True,
        auth_required=True,
        authenticator=authenticate,
    )
    controller.start()
    yield port, handler
    controller.stop()


def secured(port: int, certificate: tuple[Path, Path], **changes: Any) -> email.Settings:
    """Return settings that log on over STARTTLS."""
    values = {"tls": "starttls", "ca_file": str(certificate[0]), "username": "tieout", "password": "env:SMTP_PASSWORD"}
    return mail(port, **{**values, "to": ["a@example.org"], **changes})


def test_mail_goes_over_starttls_with_a_login(
    guarded: tuple[int, Choosy], certificate: tuple[Path, Path], message: Message, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMTP_PASSWORD", "right")
    assert email.send(secured(guarded[0], certificate), message) is None
    assert guarded[1].taken == [["a@example.org"]]


def test_a_wrong_password_is_final_and_not_repeated(
    guarded: tuple[int, Choosy], certificate: tuple[Path, Path], message: Message, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMTP_PASSWORD", "s3cr3t-but-wrong")
    with pytest.raises(ChannelError, match="535") as caught:
        email.send(secured(guarded[0], certificate), message)
    assert (caught.value.permanent, caught.value.fault) == (True, "channel")
    assert "s3cr3t" not in str(caught.value)


def test_a_certificate_nobody_vouches_for_is_refused(
    guarded: tuple[int, Choosy], certificate: tuple[Path, Path], message: Message, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMTP_PASSWORD", "right")
    with pytest.raises(ChannelError, match="certificate"):
        email.send(secured(guarded[0], certificate, ca_file=None), message)
    assert guarded[1].taken == []
