"""Our own notices, with the log that tells of them: sent once whatever is killed, and known as ours."""

from __future__ import annotations

import email
import email.policy
import time
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from mailweir.agent import notice_mail, resubmit
from mailweir.agent.loop import Agent
from mailweir.records import search
from mailweir.records.models import Message, Notice
from mailweir.records.words import Source
from tests.harness.agents import House, Killed, turn_until
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
    agent = house.agent(clock=lambda: time.time() + offset)
    turn_until(agent, lambda: Message.select().exists(), "the log's account")
    agent.turn()
    assert not sent(), "not so soon: the log may lag"
    offset = 11.0
    turn_until(agent, sent, "it to be taken for sent")
    agent.close()
    assert Notice.get().attempts == 1
    assert subjects(house) == [subject]


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
    agent = house.agent(clock=lambda: time.time() + offset)
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
