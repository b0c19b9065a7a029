"""How a message leaves as e-mail: plain text first, HTML beside it, one thread per episode.

The Message-ID comes from the message's key, so a second copy after a crash is the same message to every mail reader. Threads
hang on a root that was never sent. Source: RFC 5322, RFC 3834 (Auto-Submitted).
"""

from __future__ import annotations

import html
import smtplib
import ssl
from email.errors import HeaderParseError, MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from alerts.channels import ChannelError
from alerts.message import Message
from alerts.secrets import Reference, SecretError, resolve
from alerts.spec import Section, Words
from probes.clock import from_us

TIMEOUT_SECONDS = 15
_COLOURS = {"critical": "#8a3b00", "warning": "#6b4a00", "info": "#004b75"}


def _address(text: str) -> str:
    try:
        parsed = Address(addr_spec=text)
    except (ValueError, HeaderParseError, IndexError):
        raise ValueError(f"{text!r} is no e-mail address; write name@example.org") from None
    if not parsed.username or not parsed.domain or not text.isprintable():
        raise ValueError(f"{text!r} is no e-mail address; write name@example.org")
    return text


MailAddress = Annotated[str, AfterValidator(_address)]


class Settings(Section):
    """Which server takes the mail, from whom it comes and to whom it goes. `ca_file`: trust this authority as well."""

    kind: Literal["email"] = "email"
    host: str = Field(min_length=1)
    port: int = Field(default=587, ge=1, le=65535)
    tls: Literal["starttls", "implicit", "none"] = "starttls"
    ca_file: str | None = None
    username: str | None = None
    password: Reference | None = None
    from_: MailAddress = Field(alias="from")
    to: Annotated[Words, AfterValidator(lambda v: tuple(_address(a) for a in v))] = Field(min_length=1)

    @model_validator(mode="after")
    def _login(self) -> Settings:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password go together; give both or neither")
        if self.username is not None and self.tls == "none":
            raise ValueError("a password is not sent in the clear; write `tls: starttls` or `tls: implicit`")
        return self


def secrets(settings: Settings) -> tuple[str, ...]:
    """Return the secret references these settings name."""
    return (settings.password,) if settings.password else ()


def send(settings: Settings, message: Message) -> str | None:
    """Hand one message to the server. Returns: which recipients it refused while it took others. Errors: ChannelError."""
    try:
        with _connect(settings) as server:
            refused = server.send_message(build(settings, message), settings.from_, list(settings.to))
    except smtplib.SMTPRecipientsRefused as error:
        code = min(c for c, _ in error.recipients.values())
        raise ChannelError(f"no recipient was accepted ({code})", permanent=code >= 500) from None
    except smtplib.SMTPResponseException as error:
        raise _refusal(error) from None
    except smtplib.SMTPNotSupportedError as error:
        raise ChannelError(f"the mail server lacks what is configured: {error}", permanent=True) from None
    except (SecretError, ssl.SSLError) as error:
        raise ChannelError(
            f"cannot log on to {settings.host}: {error}", permanent=isinstance(error, SecretError)
        ) from None
    except (smtplib.SMTPException, OSError) as error:
        raise ChannelError(f"{settings.host}:{settings.port} was not reached: {type(error).__name__}") from None
    except MessageError as error:
        raise ChannelError(f"the message cannot be written: {error}", permanent=True, fault="message") from None
    return f"refused for {', '.join(sorted(refused))}" if refused else None


def _refusal(error: smtplib.SMTPResponseException) -> ChannelError:
    """Read a reply code: 4xx will pass, 5xx will not. Source: RFC 5321, section 4.2.1."""
    words = (
        error.smtp_error.decode("ascii", "replace") if isinstance(error.smtp_error, bytes) else str(error.smtp_error)
    )
    about_message = isinstance(error, smtplib.SMTPDataError)
    return ChannelError(
        f"the mail server answered {error.smtp_code} {words[:200]}",
        permanent=error.smtp_code >= 500,
        fault="message" if about_message else "channel",
    )


def _connect(settings: Settings) -> smtplib.SMTP:
    domain = settings.from_.rpartition("@")[2]
    context = ssl.create_default_context()
    if settings.ca_file:
        context.load_verify_locations(settings.ca_file)
    server: smtplib.SMTP
    if settings.tls == "implicit":
        server = smtplib.SMTP_SSL(settings.host, settings.port, domain, timeout=TIMEOUT_SECONDS, context=context)
    else:
        server = smtplib.SMTP(settings.host, settings.port, domain, timeout=TIMEOUT_SECONDS)
    try:
        if settings.tls == "starttls":
            server.starttls(context=context)
        if settings.username and settings.password:
            server.login(settings.username, resolve(settings.password))
    except BaseException:
        server.close()
        raise
    return server


def build(settings: Settings, message: Message) -> EmailMessage:
    """Return the mail itself. Header values pass EmailMessage, which refuses line breaks."""
    domain = settings.from_.rpartition("@")[2]
    mail = EmailMessage(policy=SMTP)
    mail["From"] = Address("Tieout", addr_spec=settings.from_)
    mail["To"] = [Address(addr_spec=to) for to in settings.to]
    mail["Subject"] = message.subject
    mail["Date"] = from_us(message.at_us)
    mail["Message-ID"] = f"<{message.key}@{domain}>"
    mail["In-Reply-To"] = f"<{message.thread}@{domain}>"
    mail["References"] = f"<{message.thread}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Tieout-Severity"] = message.severity
    mail.set_content(plain(message))
    mail.add_alternative(markup(message), subtype="html")
    return mail


def plain(message: Message) -> str:
    """Return the text part."""
    width = max((len(label) for label, _ in message.lines), default=0) + 2
    rows = [f"{label + ':':<{width}}{text}" for label, text in message.lines]
    links = [f"{label}: {url}" for label, url in message.links]
    return "\n".join([message.headline, "", *rows, "", *links]).rstrip() + "\n"


def markup(message: Message) -> str:
    """Return the HTML part: inline styles, nothing fetched from anywhere, every value escaped."""
    e = html.escape
    rows = "".join(
        f'<tr><th align="left" valign="top" style="padding:2px 12px 2px 0;font-weight:600">{e(label)}</th>'
        f'<td style="padding:2px 0">{e(text)}</td></tr>'
        for label, text in message.lines
    )
    links = "".join(f'<p><a href="{e(url)}">{e(label)}</a></p>' for label, url in message.links)
    return (
        '<!doctype html><html><body style="font-family:sans-serif;font-size:14px;color:#1c1c1c">'
        f'<h2 style="font-size:17px;color:{_COLOURS[message.severity]}">{e(message.headline)}</h2>'
        f'<table role="presentation" style="border-collapse:collapse">{rows}</table>{links}</body></html>\n'
    )
