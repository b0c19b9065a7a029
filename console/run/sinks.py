"""Where do the demo's messages go? Two inboxes on loopback, a Slack-like webhook and a mail server: each message a file.

For the demo only: no authentication, no TLS, nothing is passed on. `python -m console.run.sinks FOLDER HTTP_PORT SMTP_PORT`.
"""

from __future__ import annotations

import email
import email.policy
import json
import socketserver
import sys
import threading
from collections.abc import Callable, Iterable
from email.message import EmailMessage
from itertools import count
from pathlib import Path
from typing import Any

from waitress import serve as serve_wsgi

from probes.clock import iso, system_clock, to_us

MAX_BYTES = 1_000_000
Write = Callable[[str, str, str], None]
StartResponse = Callable[[str, list[tuple[str, str]]], Any]


def writer(folder: Path) -> Write:
    """Return a function that files one message: `channel`, its first line, the whole text."""
    numbers, lock = count(1), threading.Lock()

    def write(channel: str, headline: str, text: str) -> None:
        with lock:
            number = next(numbers)
            stamp = (iso(to_us(system_clock())) or "")[:19].replace(":", "").replace("-", "")
            head = " ".join(headline.split())
            # Written aside and renamed: a reader of the folder never sees half a message.
            aside = folder / f".{number}.part"
            aside.write_text(f"{channel}: {head}\n\n{text}\n", "utf-8")
            aside.rename(folder / f"{number:04d}-{stamp}Z-{channel}.txt")

    return write


def webhook(write: Write) -> Callable[[dict[str, Any], StartResponse], Iterable[bytes]]:
    """Return the WSGI app that takes messages as Slack's incoming webhooks do. Source: https://docs.slack.dev/messaging"""

    def app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        def reply(status: str, text: str) -> Iterable[bytes]:
            start_response(status, [("Content-Type", "text/plain")])
            return [text.encode()]

        length = int(environ.get("CONTENT_LENGTH") or 0)
        if environ["REQUEST_METHOD"] != "POST" or length > MAX_BYTES:
            return reply("400 Bad Request", "invalid_payload")
        try:
            payload = json.loads(environ["wsgi.input"].read(length))
            headline = str(payload.get("text") or "message")
        except (ValueError, AttributeError):
            return reply("400 Bad Request", "invalid_payload")
        write("slack", headline, json.dumps(payload, ensure_ascii=False, indent=2))
        return reply("200 OK", "ok")

    return app


class _Mail(socketserver.StreamRequestHandler):
    """One SMTP conversation, as far as a sending client needs it. Source: RFC 5321, section 4.1.1"""

    timeout = 60

    def handle(self) -> None:
        self._say("220 demo inbox")
        while line := self.rfile.readline(2000):
            verb = line[:4].upper().strip()
            if verb == b"DATA":
                self._say("354 go on")
                self._data()
            elif verb == b"QUIT":
                self._say("221 bye")
                return
            else:
                known = verb in (b"HELO", b"EHLO", b"MAIL", b"RCPT", b"RSET", b"NOOP")
                self._say("250 ok" if known else "502 not here")

    def _data(self) -> None:
        lines, size = [], 0
        while (line := self.rfile.readline(100_000)) not in (b".\r\n", b".\n", b""):
            size += len(line)
            if size <= MAX_BYTES:
                lines.append(line[1:] if line.startswith(b"..") else line)
        if size > MAX_BYTES:
            self._say("552 too large")
            return
        message = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        body = message.get_body(("plain", "html"))
        heads = "".join(f"{k}: {v}\n" for k, v in message.items())
        text = body.get_content() if body is not None else ""
        self.server.write("email", str(message.get("Subject", "(no subject)")), f"{heads}\n{text}")  # type: ignore[attr-defined]
        self._say("250 ok")

    def _say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")


class MailServer(socketserver.ThreadingTCPServer):
    """The listening side; carries the writer for its conversations."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, port: int, write: Write) -> None:
        super().__init__(("127.0.0.1", port), _Mail)
        self.write = write


def main(folder: str, http_port: str, smtp_port: str) -> None:
    """Serve both inboxes until ended."""
    write = writer(Path(folder))
    mail = MailServer(int(smtp_port), write)
    threading.Thread(target=mail.serve_forever, daemon=True).start()
    serve_wsgi(webhook(write), host="127.0.0.1", port=int(http_port), threads=4)


if __name__ == "__main__":
    main(*sys.argv[1:4])
