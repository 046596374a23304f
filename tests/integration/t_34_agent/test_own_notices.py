"""Our own notices, with the log that tells of them: sent once whatever is killed, and known as ours."""

from __future__ import annotations

import email
import email.policy
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from mailweir.agent import notice_mail, resubmit
from mailweir.agent.loop import Agent
from mailweir.agent.queue import QueueHelper
from mailweir.errors import Unavailable
from mailweir.records import search
from mailweir.records.models import Message, Notice
from mailweir.records.words import Source
from tests.harness.agents import House, Killed, turn_until
from trial.processes import children_of
from trial.waiting import wait_for

POSTMASTER = "postmaster@example.org"


def write(number: int) -> str:
    """Put a notice into the outbox, as agent/notices.py does; its subject."""
    subject = f"{number} messages were stalled"
    now = time.time()
    Notice.create(key=f"0:stall:{number}", recipients=POSTMASTER, subject=subject, body="see\n", created=now)
    return subject


def subjects(house: House) -> list[str]:
    """Of what reached the receiving server."""
    parsed = [
        email.message_from_bytes(one.content, policy=email.policy.default) for one in house.stack.received()
    ]
    return [str(one["Subject"]) for one in parsed]


def die(house: House, agent: Agent, owner: Any, name: str, replacement: Callable[..., Any]) -> None:
    """Turn the agent until it dies in that function."""
    with house.patch.context() as patch:
        patch.setattr(owner, name, replacement)
        try:
            turn_until(agent, lambda: False, "its death")
        except Killed:
            agent.close()


def sent() -> bool:
    return not Notice.select().where(Notice.sent.is_null()).exists()


def test_killed_after_postfix_took_it_it_is_not_sent_again(house: House) -> None:
    """The log's lines lie before the agent, unread: it waits for them before it tries again."""
    subject = write(1)
    submit = notice_mail.submit

    def killed_after(*arguments: Any) -> str:
        submit(*arguments)
        raise Killed

    die(house, house.agent(), notice_mail, "submit", killed_after)
    assert (Notice.get().attempts, Notice.get().sent) == (1, None)
    offset = 0.0
    agent = house.agent(clock=lambda: time.time() + offset, monotonic=lambda: time.monotonic() + offset)
    turn_until(agent, lambda: Message.select().exists(), "the log's account")
    agent.turn()
    assert not sent(), "not so soon: the log may lag"
    offset = 11.0
    turn_until(agent, sent, "it to be taken for sent")
    agent.close()
    assert Notice.get().attempts == 1
    assert subjects(house) == [subject]


def test_a_lost_answer_and_a_log_that_says_nothing_yet_send_no_second_one(house: House) -> None:
    """Postfix's queue manager stands still and no listing comes: it may be there, so nothing is done."""
    subject = write(4)
    submit = notice_mail.submit

    def answer_lost(*arguments: Any) -> str:
        submit(*arguments)
        raise Unavailable("time-out")

    def no_listing(_: QueueHelper) -> Iterator[bytes]:
        raise Unavailable("no answer")

    offset = 0.0
    agent = house.agent(clock=lambda: time.time() + offset, monotonic=lambda: time.monotonic() + offset)
    with stopped(house, "qmgr"):
        with house.patch.context() as patch:
            patch.setattr(notice_mail, "submit", answer_lost)
            turn_until(agent, lambda: Notice.get().error, "the attempt")
            patch.setattr(QueueHelper, "listing", no_listing)
            offset = 100.0
            agent.turn()
            assert (sent(), Notice.get().attempts) == (False, 1)
        turn_until(agent, sent, "it to be taken for sent")
    agent.close()
    wait_for(lambda: subjects(house), "its arrival")
    assert (subjects(house), Notice.get().attempts) == ([subject], 1)


@contextmanager
def stopped(house: House, program: str) -> Iterator[None]:
    """That daemon of the stack's Postfix stands still meanwhile."""
    master = int((house.stack.postfix.queue_directory / "pid" / "master.pid").read_text())
    (pid,) = [one for one in children_of(master) if Path(f"/proc/{one}/comm").read_text().strip() == program]
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_killed_before_postfix_took_it_it_is_sent_again(house: House) -> None:
    """The log knows its Message-ID already, but Postfix dropped what came without an end."""
    subject = write(2)

    def killed_amid(body: BinaryIO) -> Iterator[bytes]:
        head, _, rest = body.read().replace(b"\n", b"\r\n").replace(b"\r\r", b"\r").partition(b"\r\n\r\n")
        yield head + b"\r\n\r\n" + rest + b"x" * 200_000
        raise Killed

    die(house, house.agent(), resubmit, "_stuffed", killed_amid)
    log = house.stack.postfix.log
    wait_for(lambda: b"message-id=<mailweir-" in log.read_bytes(), "Postfix to log its Message-ID")
    offset = 0.0
    agent = house.agent(clock=lambda: time.time() + offset, monotonic=lambda: time.monotonic() + offset)
    offset = 11.0
    turn_until(agent, sent, "it to be sent")
    turn_until(agent, lambda: subjects(house), "its arrival")
    agent.close()
    assert subjects(house) == [subject]
    assert Notice.get().attempts == 2


def test_the_records_call_it_what_it_is(house: House) -> None:
    """It passed no filter, so the log alone knows of it; but we know what we sent."""
    subject = write(3)
    agent = house.agent()
    turn_until(agent, lambda: Message.select().where(Message.source == Source.NOTICE).exists(), "the mark")
    turn_until(agent, lambda: subjects(house), "its arrival")
    agent.close()
    again = house.agent()  # with nothing in memory: it reads what it knows from the records
    turn_until(again, lambda: found(subject)[0].recipients[0].status == "delivered", "its end")
    again.close()
    (row,) = found(subject)
    assert (row.source, row.subject, row.sender) == ("notice", subject, "")
    assert Message.select().count() == 1


def found(subject: str) -> list[search.MessageRow]:
    """What a search for the subject finds."""
    return list(search.mail_in(search.parse(f'subject:"{subject}"', now=time.time()), limit=10))
