"""One message with several verdicts: the copy for the stalled ones is on disk before they are taken off."""

from __future__ import annotations

import re
import smtplib

import pytest

from mailweir.records.ids import to_text
from tests.harness.filtered import Filtered, NotAccepted, mail
from trial import files
from trial.waiting import wait_for

ALLOWED = {"one@example.org": {"inbound.encrypted": "allow"}}


def test_only_the_stalled_recipient_waits(filtered: Filtered) -> None:
    filtered.start()
    filtered.publish(ALLOWED)
    message = (
        b"X-Odd:  two spaces\n\tand a fold\n" + mail("figures", files.encrypted_zip(), "f.zip") + b".\n..\n"
    )
    filtered.send(message, "one@example.org", "Two@Example.org", "three@example.org")
    (received,) = filtered.receiver.wait_for(1)
    assert received.recipients == ["one@example.org"]
    (line,) = filtered.journal()
    assert {(one["address"], one["verdict"], one["split"]) for one in line["recipients"]} == {
        ("one@example.org", "accept", False),
        ("Two@Example.org", "stall", True),
        ("three@example.org", "stall", True),
    }
    (held,) = wait_for(filtered.postfix.queue, "the copy in the queue")
    assert held["queue_name"] == "hold"
    assert sorted(one["address"] for one in held["recipients"]) == ["Two@Example.org", "three@example.org"]
    log = filtered.postfix.log.read_text()
    link = f"{held['queue_id']}: client=.*, orig_queue_id={line['queue_id']}, orig_client=.*127.0.0.1"
    assert re.search(link, log)
    # Released, it arrives as it was sent, with our header and the trace of its first reception.
    filtered.postfix.command("postsuper", "-H", held["queue_id"])
    filtered.postfix.command("postqueue", "-i", held["queue_id"])
    (copy,) = [one for one in filtered.receiver.wait_for(2) if one.recipients != received.recipients]
    assert (
        received.content.partition(b"X-Odd:  two spaces")[2]
        == copy.content.partition(b"X-Odd:  two spaces")[2]
    )
    assert copy.content.endswith(b"--\r\n.\r\n..\r\n")
    assert copy.content.count(f"X-Mailweir-ID: {to_text(line['id'])}\r\n".encode()) == 1
    assert b"Received: from client.example.com (localhost [127.0.0.1])" in copy.content


def test_a_copy_larger_than_memory_is_the_same(filtered: Filtered) -> None:
    filtered.start(milter__spool_above=100_000)
    filtered.publish(ALLOWED)
    noise = b".\r\n..dots\r\n" + b"0123456789abcde\r\n" * 40_000 + b"."
    filtered.send(mail("f", files.encrypted_zip(), "f.zip") + noise, "one@example.org", "two@example.org")
    filtered.receiver.wait_for(1)
    (held,) = wait_for(filtered.postfix.queue, "the copy in the queue")
    filtered.postfix.command("postsuper", "-H", held["queue_id"])
    filtered.postfix.command("postqueue", "-i", held["queue_id"])
    filtered.receiver.wait_for(2)
    first, copy = [one.content.partition(b"\r\nFrom:")[2] for one in filtered.receiver.received()]
    assert len(first) > 680_000
    assert first == copy


def test_a_message_of_the_sendmail_command_is_split_too(filtered: Filtered) -> None:
    filtered.start()
    filtered.publish(ALLOWED, domains={"example.org": True})
    message = mail("figures", files.encrypted_zip(), "f.zip")
    filtered.postfix.sendmail(message, "root@example.org", "one@example.org", "two@example.org")
    (received,) = filtered.receiver.wait_for(1)
    assert (received.sender, received.recipients) == ("root@example.org", ["one@example.org"])
    (held,) = wait_for(filtered.postfix.queue, "the copy in the queue")
    assert (held["queue_name"], held["sender"]) == ("hold", "root@example.org")
    assert [one["address"] for one in held["recipients"]] == ["two@example.org"]


def test_when_the_copy_cannot_be_handed_over_the_sender_keeps_the_message(filtered: Filtered) -> None:
    filtered.start(postfix__holding_service="127.0.0.1:9")
    filtered.publish(ALLOWED)
    with pytest.raises(NotAccepted) as deferred:
        filtered.send(mail("f", files.encrypted_zip(), "f.zip"), "one@example.org", "two@example.org")
    assert str(deferred.value).startswith("451 4.3.0 ")
    assert filtered.postfix.queue() == []
    (line,) = filtered.journal()
    assert line["verdict"] == "defer"
    assert {one["verdict"] for one in line["recipients"]} == {"defer"}
    assert "127.0.0.1:9" in filtered.said()


@pytest.mark.parametrize(
    "path", ["<@relay.example.com:two@example.org>", '<"two"@example.org>', "<postmaster>"]
)
def test_nobody_slips_past_by_an_address_that_two_programs_read_differently(
    filtered: Filtered, path: str
) -> None:
    filtered.start()
    filtered.publish(ALLOWED)
    filtered.send(mail("f", files.encrypted_zip(), "f.zip"), "one@example.org", path)
    (held,) = filtered.postfix.queue()
    assert (held["queue_name"], len(held["recipients"])) == ("hold", 2)
    assert [one["verdict"] for one in filtered.journal()[0]["recipients"]] == ["stall", "stall"]
    with smtplib.SMTP(filtered.postfix.holding_service) as smtp:
        smtp.sendmail("a@example.com", [path], mail())
    assert [one["queue_name"] for one in filtered.postfix.queue()] == ["hold", "hold"]
