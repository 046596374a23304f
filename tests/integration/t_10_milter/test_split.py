"""One message with several verdicts: the copy for the stalled ones is on disk before they are taken off."""

from __future__ import annotations

import contextlib
import re
import smtplib
import socketserver
import threading
from typing import cast

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


class Failing(socketserver.ThreadingTCPServer):
    """A holding service that does all as it should up to one command, and there says what it is told to."""

    allow_reuse_address = daemon_threads = True
    at, answer = "", b""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), FailingSession)

    def reply(self, session: socketserver.StreamRequestHandler, step: str, good: bytes) -> None:
        """Answer well, or fail; without an answer the connection ends."""
        answer = self.answer if step == self.at else good
        if not answer:
            raise ConnectionAbortedError
        session.wfile.write(answer)


class FailingSession(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        server = cast("Failing", self.server)
        with contextlib.suppress(OSError):
            server.reply(self, "connect", b"220 here\r\n")
            for line in self.rfile:
                command = line.split(None, 1)[0].upper().decode()
                extensions = (
                    b"250-here\r\n250-SMTPUTF8\r\n250-8BITMIME\r\n250 XFORWARD NAME ADDR HELO IDENT\r\n"
                )
                good = {"EHLO": extensions, "DATA": b"354 go on\r\n"}.get(command, b"250 ok\r\n")
                server.reply(self, command, good)
                if command == "DATA":
                    while self.rfile.readline() != b".\r\n":
                        pass
                    server.reply(self, "end of data", b"250 ok\r\n")


def test_whatever_step_of_the_handing_over_fails_nobody_gets_a_part(filtered: Filtered) -> None:
    with Failing() as service:
        threading.Thread(target=service.serve_forever, daemon=True).start()
        address = f"127.0.0.1:{service.server_address[1]}"
        filtered.start(postfix__holding_service=address)
        filtered.publish(ALLOWED)
        message = mail("f", files.encrypted_zip(), "f.zip")
        tried = 0
        for service.at in ("connect", "EHLO", "XFORWARD", "MAIL", "RCPT", "DATA", "end of data"):
            for service.answer in (b"451 4.3.0 later\r\n", b"550 5.7.1 never\r\n", b"nonsense\r\n", b""):
                with pytest.raises(NotAccepted) as deferred:
                    filtered.send(message, "one@example.org", "two@example.org")
                assert str(deferred.value).startswith("451 4.3.0 "), (service.at, service.answer)
                tried += 1
        service.at, service.answer = "EHLO", b"250 no extension\r\n"
        with pytest.raises(NotAccepted):
            filtered.send(message, "one@example.org", "two@example.org")
        assert filtered.postfix.queue() == [] and filtered.receiver.received() == []
        assert [line["verdict"] for line in filtered.journal()] == ["defer"] * (tried + 1)
        service.shutdown()
    filtered.reload(postfix__holding_service=filtered.postfix.holding_service)
    filtered.send(message, "one@example.org", "two@example.org")
    (arrived,) = filtered.receiver.wait_for(1)
    (held,) = filtered.postfix.queue()
    waiting = [one["address"] for one in held["recipients"]]
    assert sorted(arrived.recipients + waiting) == ["one@example.org", "two@example.org"]


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
