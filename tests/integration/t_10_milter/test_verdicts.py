"""What the sender is told, what arrives and what waits, for each verdict."""

from __future__ import annotations

from typing import Any

import pytest

from mailweir.records.ids import to_text
from tests.harness.filtered import Filtered, NotAccepted, mail
from trial import files
from trial.clamav import EICAR
from trial.waiting import wait_for

FORGED = b"x-mailweir-id: FORGED1\r\nX-MAILWEIR-ID: FORGED2\r\nX-Mailweir-ID : FORGED3\r\n"


def actions(line: dict[str, Any]) -> dict[str, str]:
    """Recipient → verdict."""
    return {one["address"]: one["verdict"] for one in line["recipients"]}


def test_plain_mail_passes_with_our_header_and_is_in_the_journal(filtered: Filtered) -> None:
    filtered.start()
    message = mail("=?utf-8?q?Gr=C3=BC=C3=9Fe?= ", Message_ID="<one@example.com>")
    filtered.send(FORGED + message, "user@example.org", "far@example.com")
    arrived = filtered.receiver.wait_for(2)
    (line,) = filtered.journal()
    for received in arrived:
        assert b"FORGED" not in received.content
        assert f"X-Mailweir-ID: {to_text(line['id'])}\r\n".encode() in received.content
        assert received.content.lower().count(b"x-mailweir-id") == 1
    assert line["subject"] == "Grüße"
    assert line["message_id"] == "<one@example.com>"
    assert (line["client_ip"], line["helo"], line["local"]) == ("127.0.0.1", "client.example.com", False)
    assert (line["verdict"], line["reply"]) == ("accept", "")
    assert {(one["address"], one["direction"], one["mailer"]) for one in line["recipients"]} == {
        ("user@example.org", "inbound", "relay"),
        ("far@example.com", "outbound", "smtp"),
    }
    assert f"{line['queue_id']}: from=<sender@example.com>" in filtered.postfix.log.read_text()


def test_mail_that_cannot_be_scanned_is_held_and_bears_our_header(filtered: Filtered) -> None:
    filtered.start()
    filtered.send(FORGED + mail("figures", files.encrypted_zip(), "f.zip"), "user@example.org")
    (held,) = filtered.postfix.queue()
    (line,) = filtered.journal()
    assert (held["queue_name"], held["queue_id"]) == ("hold", line["queue_id"])
    assert actions(line) == {"user@example.org": "stall"}
    assert line["verdict"] == "stall"
    assert [finding["kind"] for finding in line["findings"]] == ["encrypted-zip"]
    assert [attachment["name"] for attachment in line["attachments"]] == ["f.zip"]
    content = filtered.postfix.command("postcat", "-qh", held["queue_id"])
    assert f"X-Mailweir-ID: {to_text(line['id'])}" in content
    assert "FORGED" not in content


def test_a_virus_is_refused_and_the_sender_is_told_its_name(filtered: Filtered) -> None:
    filtered.start()
    with pytest.raises(NotAccepted) as refused:
        filtered.send(mail("virus", EICAR, "eicar.com"), "user@example.org", "far@example.com")
    assert str(refused.value).startswith("550 5.7.1 message is infected (virus): Eicar-Test-Signature")
    (line,) = filtered.journal()
    assert line["verdict"] == "reject"
    assert line["reply"] == str(refused.value)
    assert filtered.postfix.queue() == []


def test_a_virus_is_held_or_dropped_where_the_policy_says_so(filtered: Filtered) -> None:
    filtered.start()
    message = mail("virus", EICAR, "eicar.com")
    filtered.publish({"default": {"inbound.infected": "stall", "outbound.infected": "discard"}})
    filtered.send(message, "user@example.org")
    assert [one["queue_name"] for one in filtered.postfix.queue()] == ["hold"]
    filtered.send(message, "far@example.com", sender="user@example.org")
    assert [line["verdict"] for line in filtered.journal()] == ["stall", "discard"]
    assert len(filtered.postfix.queue()) == 1
    assert "milter triggers DISCARD action" in filtered.postfix.log.read_text()
    assert filtered.receiver.received() == []


def test_without_clamd_the_setting_decides(filtered: Filtered) -> None:
    nowhere = "unix:/nonexistent/clamd.sock"
    filtered.start(clamd__servers=[nowhere])
    with pytest.raises(NotAccepted) as deferred:
        filtered.send(mail(), "user@example.org")
    assert str(deferred.value).startswith("451 4.7.1 ")
    filtered.reload(clamd__servers=[nowhere], clamd__unavailable="stall")
    filtered.send(mail(), "user@example.org")
    assert [one["queue_name"] for one in filtered.postfix.queue()] == ["hold"]
    filtered.reload(clamd__servers=[nowhere], clamd__unavailable="accept")
    filtered.send(mail(), "user@example.org")
    filtered.receiver.wait_for(1)
    assert [line["verdict"] for line in filtered.journal()] == ["defer", "stall", "accept"]
    assert all("/nonexistent/clamd.sock" in line["unavailable"] for line in filtered.journal())


def test_new_policies_hold_at_once_and_a_broken_file_changes_nothing(filtered: Filtered) -> None:
    filtered.start(milter__workers=1)  # one that has read the good ones keeps them
    message = mail("figures", files.encrypted_zip(), "f.zip")
    filtered.publish({"default": {"inbound.encrypted": "reject"}})
    with pytest.raises(NotAccepted) as refused:
        filtered.send(message, "user@example.org")
    assert str(refused.value).startswith("550 5.7.1 message is encrypted (encrypted-zip)")
    (filtered.state / "policies.json").write_text("{")
    with pytest.raises(NotAccepted):
        filtered.send(message, "user@example.org")
    assert "policies.json cannot be used" in filtered.said()
    filtered.publish({"default": {"inbound.encrypted": "allow"}})
    filtered.send(message, "user@example.org")
    filtered.receiver.wait_for(1)
    assert [line["verdict"] for line in filtered.journal()] == ["reject", "reject", "accept"]


def test_mail_submitted_by_the_sendmail_command(filtered: Filtered) -> None:
    filtered.start()
    filtered.postfix.sendmail(b"Subject: local\n\nhello\n", "root@example.org", "user@example.org")
    (received,) = filtered.receiver.wait_for(1)
    (line,) = filtered.journal()
    assert line["local"]
    assert f"X-Mailweir-ID: {to_text(line['id'])}".encode() in received.content
    assert (line["sender"], line["client_ip"]) == ("root@example.org", "127.0.0.1")
    filtered.postfix.sendmail(b"Subject: v\n\n" + EICAR + b"\n", "root@example.org", "user@example.org")
    (bounce,) = wait_for(
        lambda: [one for one in filtered.receiver.received() if not one.sender], "the bounce of the virus"
    )
    assert bounce.recipients == ["root@example.org"]
