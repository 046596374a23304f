"""Scans that take their time: nobody waits for one, and what happens meanwhile counts."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path
from typing import BinaryIO

import pytest

from mailweir.agent.commands import SCANS, Commands
from mailweir.config import Clamd as ClamdSettings
from mailweir.content.findings import Scan
from mailweir.content.scanner import Scanner as RealScanner
from mailweir.errors import Refused
from mailweir.records.models import Command, Finding
from mailweir.records.words import CommandState
from tests.harness import desk as desks
from tests.harness.desk import ENCRYPTED, OPENS, Desk, Slow
from tests.harness.servers import Receiver
from trial import files
from trial.waiting import wait_for

ONE, TWO = "one@example.org", "two@example.org"
PASSES = "scanned again, passes now; released from hold"


@pytest.fixture
def slow(desk: Desk) -> Iterator[Slow]:
    desk.scanner = Slow()
    yield desk.scanner
    desk.scanner.go_on.set()


def begin(desk: Desk, slow: Slow, count: int = 1) -> Commands:
    """A runner with that many scans under way."""
    runner = desk.runner()
    runner.run()
    assert all(slow.begun.acquire(timeout=30) for _ in range(count))
    return runner


def end(slow: Slow, runner: Commands) -> None:
    slow.go_on.set()
    while runner.run():
        pass


def test_a_slow_scan_keeps_nobody_waiting(desk: Desk, slow: Slow, receiver: Receiver) -> None:
    """Nor do many: what needs no scan does not wait behind what does."""
    retries = [desk.ask("retry", desk.held(ONE))[0] for _ in range(SCANS + 2)]
    runner = begin(desk, slow, SCANS)
    assert not slow.begun.acquire(blocking=False), "no more than so many at the same time"
    (force,) = desk.ask("force", desk.held(TWO))
    runner.run()
    assert desk.outcome(force) == ("done", "released from hold")
    assert receiver.wait_for(1)[0].recipients == [TWO]
    assert [desk.outcome(one)[0] for one in retries] == ["running"] * SCANS + ["requested"] * 2
    end(slow, runner)
    assert {desk.outcome(one) for one in retries} == {
        ("done", "scanned again, passes now; released from hold")
    }
    receiver.wait_for(1 + len(retries))
    assert slow.asked == len(retries), "each was scanned once"


def test_what_happens_during_the_scan_counts(desk: Desk, slow: Slow, receiver: Receiver) -> None:
    forced, deleted, reused = (desk.held(f"{name}@example.org") for name in ("forced", "deleted", "reused"))
    retries = [desk.ask("retry", one)[0] for one in (forced, deleted, reused)]
    runner = begin(desk, slow, 3)
    desk.ask("force", forced)
    runner.run()
    desk.postfix.command("postsuper", "-d", desk.queue_id(deleted))
    Command.update(arrival=Command.arrival - 10_000_000).where(Command.id == retries[2].id).execute()
    receiver.wait_for(1)
    wait_for(lambda: desk.queue() == {"hold": ("reused@example.org",)}, "the others to be gone")
    end(slow, runner)
    gone = ("refused", "there is no such message in the queue any more")
    another = ("refused", "the queue ID now belongs to a message that arrived at another time")
    assert [desk.outcome(one) for one in retries] == [gone, gone, another]
    assert desk.queue() == {"hold": ("reused@example.org",)}


def test_two_scans_of_one_message_release_it_once(desk: Desk, slow: Slow, receiver: Receiver) -> None:
    message = desk.held(ONE)
    (retry,) = desk.ask("retry", message)
    runner = begin(desk, slow)
    unlock = desk.give(message, OPENS)
    runner.run()
    assert slow.begun.acquire(timeout=30)
    end(slow, runner)
    states = sorted(desk.outcome(one)[0] for one in (retry, unlock))
    assert states in (["done", "refused"], ["done", "done"])
    assert [one.recipients for one in receiver.wait_for(1)] == [[ONE]]
    log = desk.postfix.log.read_text()
    assert log.count(f"{retry.queue_id}: released from hold") == 1


def test_a_file_divided_during_the_scan_is_found_again(desk: Desk, slow: Slow, receiver: Receiver) -> None:
    message = desk.held(ONE, TWO)
    (retry,) = desk.ask("retry", message, TWO)
    runner = begin(desk, slow)
    (delete,) = desk.ask("delete", message, ONE)
    runner.run()
    assert desk.outcome(delete)[0] == "done"
    end(slow, runner)
    assert desk.outcome(retry)[0] == "done"
    assert [one.recipients for one in receiver.wait_for(1)] == [[TWO]]


def test_killed_during_the_scan_it_is_scanned_again(desk: Desk, slow: Slow, receiver: Receiver) -> None:
    """Only a password cannot be tried again: it was kept nowhere."""
    (retry,) = desk.ask("retry", desk.held(ONE))
    killed = begin(desk, slow)
    unlock = desk.give(desk.held(TWO), OPENS)
    killed.run()
    assert slow.begun.acquire(timeout=30)
    slow.go_on.set()
    desk.work()
    assert desk.outcome(retry)[0] == "done"
    assert desk.outcome(unlock) == (
        "failed",
        "the agent was interrupted; give the password again",
    )
    receiver.wait_for(1)
    assert desk.queue() == {"hold": (TWO,)}


def test_many_passwords_cannot_be_tried_at_the_same_time(desk: Desk, slow: Slow) -> None:
    slow.scan = ENCRYPTED
    message = desk.held(ONE)
    runner = desk.runner()
    most = desk.config.agent.unlock_attempts
    for number in range(most):
        desk.give(message, f"wrong{number}")
        runner.run()
    with pytest.raises(Refused, match="wait an hour"):
        desk.give(message, OPENS)
    end(slow, runner)
    states = [row.state for row in Command.select()]
    assert states == [CommandState.FAILED] * most


def test_a_scanner_that_breaks_stops_no_other_command(desk: Desk, receiver: Receiver) -> None:
    class Broken(desks.Scanner):
        def scan_message(self, body: BinaryIO, size: int, *, passwords: Sequence[str] = ()) -> Scan:
            raise RuntimeError("out of order")

    desk.scanner = Broken()
    (retry,) = desk.ask("retry", desk.held(ONE))
    (force,) = desk.ask("force", desk.held(TWO))
    desk.work()
    assert desk.outcome(retry) == ("failed", "out of order")
    assert desk.outcome(force)[0] == "done"
    receiver.wait_for(1)


def test_a_real_archive_is_unlocked_by_its_password_alone(desk: Desk, receiver: Receiver) -> None:
    """The content scanner itself, on an AES archive in a MIME message in a queue file."""
    config = replace(desk.config, clamd=ClamdSettings(servers=[], unavailable="accept"))
    scanner = desk.scanner = RealScanner(config, clamd=False)
    try:
        mail = EmailMessage()
        mail["Subject"], mail["To"] = "figures", ONE
        mail.set_content("see the archive")
        mail.add_attachment(files.encrypted_zip(), "application", "zip", filename="figures.zip")
        with smtplib.SMTP(desk.postfix.holding_service, local_hostname="t.example") as smtp:
            smtp.sendmail("a@example.edu", [ONE], mail.as_bytes())
        (item,) = desk.postfix.queue()
        message = 4711
        desk.rows(message, item["queue_id"], "a@example.edu", ONE)
        state, said = desk.act("retry", message)
        assert (state, said) == (
            "failed",
            "scanned again, still stalled: message is encrypted (encrypted-zip)",
        )
        not_opened = "the password does not open all that is encrypted"
        assert desk.unlock(message, "not " + files.PASSWORD) == ("failed", not_opened)
        assert desk.queue() == {"hold": (ONE,)}
        assert [row.kind for row in Finding.select()] == ["encrypted-zip"]
        assert desk.unlock(message, files.PASSWORD) == (
            "done",
            "scanned again, passes now; released from hold",
        )
        (arrived,) = receiver.wait_for(1)
        assert b"figures.zip" in arrived.content
        assert Finding.select().count() == 0
        state_files = [path for path in Path(desk.config.state_dir).rglob("*") if path.is_file()]
        stored = b"".join(path.read_bytes() for path in state_files)
        assert b"unlock" in stored
        assert files.PASSWORD.encode() not in stored, "the password is kept nowhere"
    finally:
        scanner.close()
