"""The servers that all other integration tests stand on do what those tests take for granted."""

from __future__ import annotations

import smtplib
import socket

import psycopg
import pytest

from tests.harness.postgresql import PostgreSQL
from tests.harness.servers import Receiver, Servers
from trial.clamav import EICAR, Clamd
from trial.postfix import Postfix
from trial.waiting import wait_for


def test_mail_goes_to_the_servers_of_its_domain_and_the_log_shows_the_conversation(
    plain_postfix: Postfix, receiver: Receiver
) -> None:
    recipients = ["one@example.org", "unknown@example.org", "busy@example.org", "two@example.com"]
    with smtplib.SMTP("127.0.0.1", plain_postfix.smtp_port) as smtp:
        smtp.sendmail("sender@example.edu", recipients, "Subject: hello\n\nhello\n")
    arrived = receiver.wait_for(3)  # two copies and the bounce
    assert {(one.port, one.sender, tuple(one.recipients)) for one in arrived} == {
        (receiver.local, "sender@example.edu", ("one@example.org",)),
        (receiver.remote, "sender@example.edu", ("two@example.com",)),
        (receiver.remote, "", ("sender@example.edu",)),
    }
    waiting = wait_for(plain_postfix.queue, "the queue's listing")
    assert [recipient["address"] for item in waiting for recipient in item["recipients"]] == [
        "busy@example.org"
    ]
    log = plain_postfix.log.read_text()
    assert "RCPT TO:<one@example.org>" in log
    assert "550 5.1.1 <unknown@example.org>" in log


def test_the_filterless_services_hold_and_pass(postfix: Postfix, receiver: Receiver) -> None:
    """The filter is not running here: the public port defers, the two services of ours do not ask it."""
    with smtplib.SMTP("127.0.0.1", postfix.smtp_port) as smtp, pytest.raises(smtplib.SMTPException):
        smtp.sendmail("a@example.edu", ["one@example.org"], "Subject: public\n\n")
    for service in (postfix.holding_service, postfix.resubmit_service):
        with smtplib.SMTP(service) as smtp:
            smtp.sendmail("a@example.edu", ["one@example.org"], f"Subject: {service}\n\n")
    (passed,) = receiver.wait_for(1)
    assert postfix.resubmit_service.encode() in passed.content
    (held,) = postfix.queue()
    assert held["queue_name"] == "hold"
    assert len(held["queue_id"]) >= 15
    postfix.command("postsuper", "-H", held["queue_id"])  # this alone waits for the next queue run
    postfix.command("postqueue", "-i", held["queue_id"])
    receiver.wait_for(2)


def test_local_submission_and_log_rotation(plain_postfix: Postfix, receiver: Receiver) -> None:
    plain_postfix.sendmail(b"Subject: local\n\nhello\n", "root@example.org", "one@example.org")
    receiver.wait_for(1)
    plain_postfix.rotate()
    assert [path.suffix for path in plain_postfix.log.parent.iterdir() if path != plain_postfix.log] == [
        ".gz"
    ]


def test_clamd_knows_eicar(clamd: Clamd) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(clamd.socket))
        connection.sendall(b"zINSTREAM\0" + len(EICAR).to_bytes(4, "big") + EICAR + bytes(4))
        assert connection.makefile("rb").read() == b"stream: Eicar-Test-Signature.UNOFFICIAL FOUND\0"


def test_a_killed_process_is_noticed(servers: Servers) -> None:
    servers.start("sleeper", ["sleep", "600"])
    assert servers.processes.alive("sleeper")
    servers.processes.kill("sleeper")
    assert not servers.processes.alive("sleeper")


def test_postgresql_answers_after_a_restart(postgresql: PostgreSQL) -> None:
    with psycopg.connect(postgresql.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS number")
    postgresql.stop()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(postgresql.url)
    postgresql.start()
    with psycopg.connect(postgresql.url) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (1,)
