"""Notices of stalled mail: to those whom the policies name, grouped, once, and never answered."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from mailweir.agent import notice_mail
from mailweir.agent.notices import Outbox
from mailweir.config import Node, Notices
from mailweir.errors import ConfigError, Unavailable
from mailweir.policies.scopes import PolicySet, Scope
from mailweir.records import ids
from mailweir.records.ingest_memory import DatabaseMemory
from mailweir.records.ingest_rows import Writer
from mailweir.records.models import Finding, Message, Notice, Recipient
from mailweir.records.words import Source
from tests.harness.desk import Desk, desk_house
from tests.harness.servers import Receiver

POSTMASTER = "postmaster@example.org"


@pytest.fixture(scope="module")
def house() -> Iterator[tuple[Desk, Receiver]]:
    """One Postfix for all tests of this file; each begins with an empty queue."""
    with desk_house() as running:
        yield running


@pytest.fixture
def desk(house: tuple[Desk, Receiver]) -> Desk:
    house[0].reset()
    start = house[0].clock()
    house[0].clock = lambda: start + 10
    house[0].config = replace(
        house[0].config, notices=Notices(administrators=[POSTMASTER], interval=300.0, most=3)
    )
    return house[0]


@pytest.fixture
def receiver(house: tuple[Desk, Receiver]) -> Receiver:
    return house[1]


def later(desk: Desk, seconds: float) -> None:
    now = desk.clock()
    desk.clock = lambda: now + seconds


def outbox(desk: Desk) -> Outbox:
    """A fresh one, as after a restart."""
    return Outbox(desk.config, desk.database, lambda: desk.clock())


def stall(desk: Desk, *recipients: str, sender: str = "a@example.edu", **message: Any) -> int:
    identifier = desk.held(*recipients, sender=sender)
    Message.update(**message).where(Message.id == identifier).execute() if message else None
    Finding.create(message_id=identifier, kind="encrypted-zip", part="2/a.zip", name="a.zip")
    return identifier


def arrived(receiver: Receiver, count: int) -> list[EmailMessage]:
    found = receiver.wait_for(count)
    assert len(found) == count
    assert {one.sender for one in found} == {""}, "the null sender: nothing may ever answer"
    return [email.message_from_bytes(one.content, policy=email.policy.default) for one in found]


def test_one_stall_is_told_at_once_with_all_that_matters(desk: Desk, receiver: Receiver) -> None:
    identifier = stall(desk, "one@example.org", subject="Zahlen\r\nBcc: evil@example.com \u202e")
    assert (outbox(desk).write(desk.policies), outbox(desk).send(desk.clock())) == (1, 1)
    (notice,) = arrived(receiver, 1)
    assert receiver.received()[0].recipients == [POSTMASTER]
    assert notice["Auto-Submitted"] == "auto-generated"
    assert notice["Bcc"] is None
    text = notice.get_content().replace("\r\n", "\n")
    for part in ("a@example.edu", "one@example.org", "encrypted-zip", f"/message/{ids.to_text(identifier)}"):
        assert part in text
    assert "Subject:  Zahlen\\r\\nBcc: evil@example.com \\u202e\n" in text
    assert (outbox(desk).write(desk.policies), outbox(desk).send(desk.clock())) == (0, 0), "once only"


def test_many_stalls_make_one_notice_an_interval(desk: Desk, receiver: Receiver) -> None:
    stall(desk, "first@example.org")
    assert outbox(desk).write(desk.policies) == 1
    for number in range(5):
        stall(desk, f"r{number}@example.org")
    later(desk, 100)
    assert outbox(desk).write(desk.policies) == 0, "the interval is not over"
    later(desk, 201)
    assert outbox(desk).write(desk.policies) == 1
    assert outbox(desk).send(desk.clock()) == 2
    second = arrived(receiver, 2)[1]
    assert second["Subject"] == "5 messages were stalled"
    text = second.get_content()
    assert "And 2 more" in text
    assert "first@example.org" not in text


def test_restored_old_and_hand_held_mail_makes_no_notices(desk: Desk) -> None:
    old, by_log, by_hand = (stall(desk, f"{name}@example.org") for name in ("old", "log", "hand"))
    Message.update(source=Source.LOG).where(Message.id == by_log).execute()
    Recipient.update(verdict="accept").where(Recipient.message_id == by_hand).execute()
    Recipient.update(verdict="accept").where(Recipient.message_id == old).execute()
    assert outbox(desk).write(desk.policies) == 0
    Recipient.update(verdict="stall").where(Recipient.message_id == old).execute()
    later(desk, 3601)
    assert outbox(desk).write(desk.policies) == 0


def test_a_message_that_took_the_filter_long_is_not_missed(desk: Desk) -> None:
    slow = stall(desk, "slow@example.org")
    Recipient.update(verdict="").where(Recipient.message_id == slow).execute()
    stall(desk, "quick@example.org")
    assert outbox(desk).write(desk.policies) == 1
    Recipient.update(verdict="stall").where(Recipient.message_id == slow).execute()
    later(desk, 301)
    assert outbox(desk).write(desk.policies) == 1
    assert "slow@example.org" in Notice.select().order_by(Notice.id.desc()).get().body


def test_the_policies_say_who_hears_of_it(desk: Desk, receiver: Receiver) -> None:
    desk.policies = PolicySet(
        (
            Scope("default", fields={"inbound.notify_administrator": False}),
            Scope(
                "domain",
                "example.net",
                fields={
                    "inbound.notify_administrator": True,
                    "inbound.administrators": ["boss@example.net", "böss@example.net"],
                    "inbound.notify_recipient": True,
                },
            ),
        )
    )
    stall(desk, "quiet@example.org")
    stall(desk, "told@example.net")
    assert outbox(desk).write(desk.policies) == 2
    assert outbox(desk).send(desk.clock()) == 2
    found = {one.recipients[0]: one for one in receiver.wait_for(2)}
    assert set(found) == {"boss@example.net", "told@example.net"}
    assert b"A message to you is waiting" in found["told@example.net"].content
    assert all(b"quiet@example.org" not in one.content for one in found.values())


def test_an_unreachable_service_loses_nothing_and_is_not_hammered(
    desk: Desk, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    stall(desk, "one@example.org")
    mine = outbox(desk)
    assert mine.write(desk.policies) == 1

    def refuse(*_: Any) -> str:
        raise Unavailable("nobody there")

    with monkeypatch.context() as patch:
        patch.setattr(notice_mail, "submit", refuse)
        with pytest.raises(Unavailable):
            mine.send(desk.clock())
        assert mine.send(desk.clock()) == 0
    assert (Notice.get().error, Notice.get().sent) == ("nobody there", None)
    later(desk, 31)
    assert mine.send(desk.clock()) == 1
    arrived(receiver, 1)


def test_each_node_sends_its_own_notices(desk: Desk, receiver: Receiver) -> None:
    """Several share one database; and one's notices are to the tracker like all that the log told of."""
    stall(desk, "one@example.org")
    assert outbox(desk).write(desk.policies) == 1
    other = Outbox(replace(desk.config, node=Node(number=7)), desk.database, desk.clock)
    assert other.send(desk.clock()) == 0
    assert Notice.get().attempts == 0
    assert outbox(desk).send(desk.clock()) == 1
    arrived(receiver, 1)
    desk.rows(99, "4Zq0001Bx0zKk1", "", POSTMASTER)
    Message.update(source=Source.NOTICE).where(Message.id == 99).execute()
    known = DatabaseMemory(Writer(desk.database), 0).leg("4Zq0001Bx0zKk1")
    assert known and known["message"]["source"] == Source.LOG


def test_templates_of_ones_own(desk: Desk, tmp_path: Path) -> None:
    desk.config = replace(desk.config, notices=replace(desk.config.notices, templates=str(tmp_path)))
    stall(desk, "one@example.org")
    file = tmp_path / "administrator.txt"
    for bad in ("no subject", "Subject: {{ nothing }}", "Subject: {% if %}"):
        file.write_text(bad)
        with pytest.raises(ConfigError, match=r"administrator\.txt"):
            outbox(desk).write(desk.policies)
    file.write_text("Subject: ours\n\n{{ stalls[0].sender }}\n")
    assert outbox(desk).write(desk.policies) == 1
    assert (Notice.get().subject, Notice.get().body) == ("ours", "a@example.edu\n")
