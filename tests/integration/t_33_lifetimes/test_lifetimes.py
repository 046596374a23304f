"""Pending mail ends when its policy says so, held and deferred alike, and its sender is told by Postfix."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from mailweir.agent import lifetimes
from mailweir.policies.scopes import PolicySet, Scope
from mailweir.records.models import Command, Recipient
from mailweir.records.words import Direction
from tests.harness.desk import Desk, desk_house
from tests.harness.servers import Receiver
from trial.waiting import wait_for

HOUR = 3600.0


@pytest.fixture(scope="module")
def house() -> Iterator[tuple[Desk, Receiver]]:
    """One Postfix for all tests of this file; each begins with an empty queue."""
    with desk_house() as running:
        yield running


@pytest.fixture
def desk(house: tuple[Desk, Receiver]) -> Desk:
    house[0].reset()
    fields = {"inbound.lifetime": 7 * HOUR, "outbound.lifetime": HOUR}
    house[0].policies = PolicySet((Scope("default", fields=fields),))
    return house[0]


@pytest.fixture
def receiver(house: tuple[Desk, Receiver]) -> Receiver:
    return house[1]


def after(desk: Desk, seconds: float) -> int:
    """Look at the lifetimes at that time from now, and carry out what comes of it."""
    now = time.time() + seconds
    desk.clock = lambda: now
    asked = lifetimes.enforce(desk.database, 0, desk.policies, now, desk.clock)
    desk.work()
    return asked


def outbound(desk: Desk, message: int) -> None:
    Recipient.update(direction=Direction.OUTBOUND).where(Recipient.message_id == message).execute()


def waiting(desk: Desk) -> list[tuple[str, list[str]]]:
    return sorted(
        (item["queue_name"], sorted(one["address"] for one in item["recipients"]))
        for item in desk.postfix.queue()
    )


def test_held_and_deferred_mail_end_at_their_time_and_the_sender_is_told(
    desk: Desk, receiver: Receiver
) -> None:
    inbound = desk.held("in@example.org", sender="in@example.edu")
    going_out = desk.held("out@example.com", sender="out@example.edu")
    deferred = desk.held("busy@example.com", sender="slow@example.edu")
    for message in (going_out, deferred):
        outbound(desk, message)
    assert desk.act("force", deferred)[0] == "done"
    wait_for(lambda: ("deferred", ["busy@example.com"]) in waiting(desk), "deferral")

    assert after(desk, HOUR - 60) == 0
    assert after(desk, HOUR + 60) == 2
    bounces = receiver.wait_for(2)
    assert {one.recipients[0] for one in bounces} == {"out@example.edu", "slow@example.edu"}
    assert {one.sender for one in bounces} == {""}
    wait_for(lambda: waiting(desk) == [("hold", ["in@example.org"])], "the inbound one alone")
    assert inbound
    (command, _) = Command.select().where(Command.action == "return").order_by(Command.id)
    assert (command.by_user, command.reason) == (
        "mailweir",
        "pending for longer than its lifetime of 1 hours",
    )

    assert after(desk, 7 * HOUR + 60) == 3, "the records do not know yet that two of them are gone"
    assert receiver.wait_for(3)[2].recipients == ["in@example.edu"]
    wait_for(lambda: waiting(desk) == [], "an empty queue")


def test_one_look_after_the_other_asks_once(desk: Desk) -> None:
    outbound(desk, desk.held("busy@example.com"))
    now = time.time() + 2 * HOUR
    desk.clock = lambda: now
    first = lifetimes.enforce(desk.database, 0, desk.policies, now, desk.clock)
    second = lifetimes.enforce(desk.database, 0, desk.policies, now + 60, desk.clock)
    assert (first, second) == (1, 0)
    assert lifetimes.enforce(desk.database, 1, desk.policies, now, desk.clock) == 0, "another node's mail"


def test_recipients_of_one_file_end_each_at_his_time(desk: Desk, receiver: Receiver) -> None:
    message = desk.held("long@example.org", "short@example.net", "far@example.org")
    desk.policies = PolicySet(
        (*desk.policies.scopes, Scope("domain", "example.net", fields={"inbound.lifetime": HOUR}))
    )
    assert message
    assert after(desk, HOUR + 60) == 1
    (bounce,) = receiver.wait_for(1)
    assert b"short@example.net" in bounce.content
    assert waiting(desk) == [("hold", ["far@example.org", "long@example.org"])]
