"""A look into a message in the queue: who may open what was read, how long, and when nothing can be read."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from mailweir.agent import reading
from mailweir.agent.reading import Letter, Look
from mailweir.errors import InputError, Refused, Unavailable
from mailweir.records.models import Audit, Command, Content, Leg, Node, Sealed
from mailweir.records.words import CommandState, Queue
from tests.harness.desk import Desk
from tests.harness.servers import Receiver

WHO = {"user": "anna", "ip": "192.0.2.1"}
SECRET = "the launch is on Friday"


def ask(desk: Desk, what: str, message: int) -> Look:
    Node.update(seen=desk.clock()).execute()
    return reading.ask(what=what, message_id=message, clock=desk.clock, **WHO)


def read(desk: Desk, what: str, message: int) -> tuple[Look, Letter | None]:
    """Ask, let the agent work, and fetch."""
    runner = desk.runner()
    look = ask(desk, what, message)
    desk.work(runner)
    return look, reading.find(look, desk.clock())


def test_header_and_content_of_a_message_in_the_queue(desk: Desk, receiver: Receiver) -> None:
    message = desk.held("one@example.org", "two@example.org", body=SECRET)
    look, header = read(desk, "headers", message)
    assert header is not None and not header.is_cut
    assert b"Subject: held" in header.data and SECRET.encode() not in header.data
    _, content = read(desk, "content", message)
    assert content is not None and not content.is_cut
    assert content.data.startswith(header.data) and content.data.endswith(SECRET.encode() + b"\n")
    assert desk.outcome(Command.get_by_id(look.command)) == ("done", "read")
    said = [row.what for row in Audit.select().order_by(Audit.id)]
    assert said == ["headers requested", "headers done", "content requested", "content done"]
    assert desk.queue() == {"hold": ("one@example.org", "two@example.org")}
    assert receiver.received() == [] and desk.scanner.asked == 0


def test_only_the_key_of_whoever_asked_opens_it_and_only_for_a_while(desk: Desk) -> None:
    message = desk.held("one@example.org", body=SECRET)
    look, _ = read(desk, "content", message)
    assert reading.find(Look(look.command, "0" * 64), desk.clock()) is None
    other, _ = read(desk, "content", message)
    assert reading.find(Look(look.command, other.key), desk.clock()) is None
    desk.database.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    stored = b"".join(path.read_bytes() for path in Path(desk.config.state_dir).glob("mailweir.db*"))
    assert SECRET.encode() not in stored and look.key.encode() not in stored
    later = time.time() + desk.config.agent.content_keep + 1
    assert reading.find(look, later) is None
    assert Content.select().count() == 2 and Sealed.select().count() == 0
    desk.clock = lambda: later
    desk.runner().forget_read()
    assert Content.select().count() == 0


def test_a_large_message_is_cut(desk: Desk) -> None:
    message = desk.held("one@example.org", body="x" * 70 + "\n" + "y" * 70)
    desk.config = desk.config.__class__(
        **{**vars(desk.config), "agent": desk.config.agent.__class__(content_most=100)}
    )
    _, content = read(desk, "content", message)
    assert content is not None and content.is_cut and len(content.data) == 100


def test_what_has_left_the_queue_cannot_be_read(desk: Desk) -> None:
    message = desk.held("one@example.org")
    runner = desk.runner()
    look = ask(desk, "content", message)
    desk.postfix.command("postsuper", "-d", desk.queue_id(message))
    desk.work(runner)
    assert desk.outcome(Command.get_by_id(look.command))[0] == "refused"
    assert reading.find(look, desk.clock()) is None
    Leg.update(queue=Queue.GONE).execute()
    with pytest.raises(Refused, match="in the queue any more"):
        ask(desk, "content", message)
    with pytest.raises(InputError):
        ask(desk, "all", message)


def test_another_message_under_the_queue_id_is_not_read(desk: Desk) -> None:
    message = desk.held("one@example.org", sender="a@example.edu")
    Leg.update(arrival=Leg.arrival - 60_000_000).execute()
    look, letter = read(desk, "content", message)
    assert desk.outcome(Command.get_by_id(look.command))[0] == "refused" and letter is None


def test_an_agent_that_was_killed_says_so_and_one_that_does_not_run_is_told(desk: Desk) -> None:
    message = desk.held("one@example.org")
    desk.runner()
    look = ask(desk, "content", message)
    Command.update(state=CommandState.RUNNING).where(Command.id == look.command).execute()
    desk.work()
    assert desk.outcome(Command.get_by_id(look.command)) == (
        "failed", "the agent was interrupted; ask again",
    )  # fmt: skip
    Node.update(seen=0.0).execute()
    with pytest.raises(Unavailable, match="does not run"):
        reading.ask(what="content", message_id=message, clock=desk.clock, **WHO)
    assert Command.select().count() == 1
