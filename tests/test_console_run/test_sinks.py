"""Do the demo's inboxes file what real clients send them?"""

from __future__ import annotations

import smtplib
import threading
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import httpx
import pytest

from console.run.processes import free_port
from console.run.sinks import MailServer, webhook, writer


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[int]:
    server = MailServer(free_port(28950), writer(tmp_path))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield int(server.server_address[1])
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_mail_is_filed_with_its_subject_first(mail: int, tmp_path: Path) -> None:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = "Überfällig: 3 Aufträge", "a@example.org", "b@example.org"
    message.set_content("First line\n.a line that begins with a dot\n")
    message.add_alternative("<p>First line</p>", subtype="html")
    with smtplib.SMTP("127.0.0.1", mail, timeout=10) as client:
        client.send_message(message)
        client.send_message(message)
    files = sorted(tmp_path.glob("*.txt"))
    assert [f.name[:4] for f in files] == ["0001", "0002"]
    text = files[0].read_text("utf-8")
    assert text.startswith("email: Überfällig: 3 Aufträge\n")
    assert "\n.a line that begins with a dot" in text


def test_a_webhook_message_is_filed_and_answered_as_slack_does(tmp_path: Path) -> None:
    transport = httpx.WSGITransport(app=webhook(writer(tmp_path)))
    with httpx.Client(transport=transport, base_url="http://inbox") as client:
        assert client.post("/slack", json={"text": "3 orders\nare late", "blocks": []}).text == "ok"
        assert client.post("/slack", content=b"{not json").status_code == 400
        assert client.get("/slack").status_code == 400
    (filed,) = tmp_path.glob("*-slack.txt")
    assert filed.read_text("utf-8").startswith("slack: 3 orders are late\n")
