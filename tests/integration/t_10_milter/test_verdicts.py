"""What the sender is told, what arrives and what waits, for each verdict."""

from __future__ import annotations

import json
import smtplib
from typing import Any

import pytest

from mailweir.records.ids import to_text
from tests.harness.filtered import Filtered, mail
from trial import files
from trial.clamav import EICAR
from trial.waiting import wait_for


def test_plain_mail_passes_with_our_header_and_is_in_the_journal(filtered: Filtered) -> None:
    filtered.start()
    forged = "x-mailweir-id: FORGED1\r\nX-MAILWEIR-ID: FORGED2\r\nX-Mailweir-ID : FORGED3\r\n".encode()
    subject = "=?utf-8?q?Gr=C3=BC=C3=9Fe?= "
    filtered.send(
        forged + mail(subject, Message_ID="<one@example.com>"), "user@example.org", "far@example.com"
    )
    arrived = filtered.receiver.wait_for(2)
    (line,) = filtered.journal()
    for received in arrived:
        assert b"FORGED" not in received.content
        assert received.content.lower().count(b"x-mailweir-id") == 1
        assert f"X-Mailweir-ID: {to_text(line['id'])}\r\n".encode() in received.content
    assert line["subject"] == "Grüße"
    assert line["message_id"] == "<one@example.com>"
    assert (line["client_ip"], line["helo"], line["local"]) == ("127.0.0.1", "client.example.com", False)
    assert line["verdict"] == "accept"
    assert {(one["address"], one["direction"], one["mailer"]) for one in line["recipients"]} == {
        ("user@example.org", "inbound", "relay"),
        ("far@example.com", "outbound", "smtp"),
    }
    assert f"{line['queue_id']}: from=<sender@example.com>" in filtered.postfix.log.read_text()
