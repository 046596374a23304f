"""Each act in each state, both directions, for a whole message and for one recipient of two: one table.

What must happen stands in the table; queue, receiving servers and log are asked whether it did.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from dataclasses import dataclass, field

import pytest

from mailweir.agent.request import ACTS
from mailweir.errors import Refused
from mailweir.records.models import Command, Leg, Message, Recipient
from mailweir.records.words import Direction, Queue, Status
from tests.harness.desk import OPENS, Desk
from tests.harness.servers import Receiver
from trial.waiting import wait_for

STATES = ("stalled", "held by hand", "deferred")
STAYS, GONE, RETURNED, DELIVERED, HELD, ATTEMPT = "stays", "gone", "returned", "delivered", "held", "attempt"
# What each act does in the states above. What a busy mailbox gets is an attempt, and it is deferred again.
TABLE = {
    "retry": (DELIVERED, ATTEMPT, ATTEMPT),
    "force": (DELIVERED, ATTEMPT, STAYS),
    "unlock": (DELIVERED, ATTEMPT, STAYS),
    "release": (DELIVERED, ATTEMPT, STAYS),
    "delete": (GONE, GONE, GONE),
    "return": (RETURNED, RETURNED, RETURNED),
    "hold": (STAYS, STAYS, HELD),
}
ENDS = {STAYS: ("failed", "refused")}  # of the command; all others are done
HOUSES = {
    Direction.INBOUND: ("example.com", "example.org"),
    Direction.OUTBOUND: ("example.org", "example.com"),
}


@dataclass
class Case:
    """One message that one act is asked for, and what was so before."""

    action: str
    state: str
    expected: str
    sender: str
    meant: str
    other: str  # the second recipient, "" when there is none
    message: int = 0
    queue_id: str = ""
    attempts: int = 0
    commands: list[Command] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.action} of {self.state} to {self.meant}{' alone' if self.other else ''}"


def cases(direction: Direction, *, several: bool) -> list[Case]:
    """The whole table, each case with a sender and recipients of its own."""
    there, here = HOUSES[direction]
    found = []
    for number, (action, (place, state)) in enumerate(itertools.product(TABLE, enumerate(STATES))):
        name = "user" if state == "stalled" else "busy"
        other = f"{name}+{number}.other@{here}" if several else ""
        found.append(
            Case(
                action,
                state,
                TABLE[action][place],
                f"sender{number}@{there}",
                f"{name}+{number}@{here}",
                other,
            )
        )
    return found


def prepare(desk: Desk, direction: Direction, all_: list[Case]) -> None:
    """Bring each message into its state, in the queue and in the records."""
    for case in all_:
        case.message = desk.held(*filter(None, (case.meant, case.other)), sender=case.sender)
        case.queue_id = desk.queue_id(case.message)
    Recipient.update(direction=direction).execute()
    tried = [case for case in all_ if case.state != "stalled"]
    desk.postfix.command("postsuper", *(word for case in tried for word in ("-H", case.queue_id)))
    for case in tried:  # each by itself: a flush of all may come to the same file twice
        desk.postfix.command("postqueue", "-i", case.queue_id)
    wait_for(
        lambda: all(queues(desk).get(case.queue_id, ("",))[0] == "deferred" for case in tried),
        "their first attempts",
    )
    by_hand = [case for case in tried if case.state == "held by hand"]
    desk.postfix.command("postsuper", *(word for case in by_hand for word in ("-h", case.queue_id)))
    for case in tried:
        queue = Queue.HOLD if case in by_hand else Queue.DEFERRED
        Leg.update(queue=queue).where(Leg.message_id == case.message).execute()
        Recipient.update(status=Status.DEFERRED, verdict="accept").where(
            Recipient.message_id == case.message
        ).execute()
        Message.update(verdict="accept").where(Message.id == case.message).execute()
    for case in all_:
        case.attempts = attempts(desk)[case.meant]


def queues(desk: Desk) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Of each queue ID: its queue and recipients."""
    return {
        item["queue_id"]: (item["queue_name"], tuple(sorted(one["address"] for one in item["recipients"])))
        for item in desk.postfix.queue()
    }


def where(desk: Desk, address: str) -> list[str]:
    """The queues in which something for that address waits."""
    return [queue for queue, addresses in queues(desk).values() if address in addresses]


def attempts(desk: Desk) -> Counter[str]:
    """Attempts by recipient that the log tells of and that did not deliver."""
    return Counter(
        re.findall(r" to=<([^>]+)>.* status=deferred \((?!message is adm)", desk.postfix.log.read_text())
    )


def ask(desk: Desk, case: Case) -> None:
    address = case.meant if case.other else None
    if case.action == "unlock":
        case.commands = [desk.give(case.message, OPENS, address)]
    else:
        case.commands = desk.ask(case.action, case.message, address)


@pytest.mark.parametrize(
    ("direction", "several"),
    [(Direction.INBOUND, False), (Direction.OUTBOUND, False), (Direction.INBOUND, True)],
    ids=["inbound", "outbound", "one of two"],
)
def test_every_act_in_every_state(
    desk: Desk, receiver: Receiver, direction: Direction, several: bool
) -> None:
    assert set(TABLE) == {*ACTS, "unlock"}
    all_ = cases(direction, several=several)
    prepare(desk, direction, all_)
    runner = desk.runner()
    for case in all_:
        try:
            ask(desk, case)
        except Refused:
            assert case.expected is STAYS, case
    desk.work(runner)
    for case in all_:
        ends = {desk.outcome(command)[0] for command in case.commands}
        assert ends <= set(ENDS.get(case.expected, ("done",))), (case, case.commands[0].result)
        assert ends or case.expected is STAYS
    wait_for(
        lambda: all(settled(desk, receiver, case) for case in all_),
        "all to come to their ends",
        explain=lambda: str([str(case) for case in all_ if not settled(desk, receiver, case)]),
    )
    served = Counter(address for one in receiver.received() if one.sender for address in one.recipients)
    told = Counter(address for one in receiver.received() if not one.sender for address in one.recipients)
    for case in all_:
        assert served[case.meant] == (case.expected is DELIVERED), case
        assert told[case.sender] == (case.expected is RETURNED), case
        if case.other:
            assert served[case.other] == 0, case
            assert len(where(desk, case.other)) == 1, case


def settled(desk: Desk, receiver: Receiver, case: Case) -> bool:
    """Whether queue, receiver and log show what the table says, of the one meant and of the other."""
    before = "deferred" if case.state == "deferred" else "hold"
    other_stays = not case.other or where(desk, case.other) == [before]
    there = where(desk, case.meant)
    if case.expected is DELIVERED:
        served = any(case.meant in one.recipients for one in receiver.received())
        return other_stays and there == [] and served
    if case.expected is RETURNED:
        told = any(one.recipients == [case.sender] for one in receiver.received())
        return other_stays and there == [] and told
    if case.expected is ATTEMPT:
        tried = attempts(desk)[case.meant] > case.attempts
        if case.action == "retry" and case.state == "deferred":  # Postfix attempts a whole queue file
            other_stays = not case.other or where(desk, case.other) == ["deferred"]
        return other_stays and there == ["deferred"] and tried
    after = {GONE: [], HELD: ["hold"], STAYS: [before]}[case.expected]
    return other_stays and there == after


@pytest.mark.parametrize("meanwhile", ["-H", "-d"], ids=["delivered", "deleted"])
def test_gone_between_click_and_act(desk: Desk, receiver: Receiver, meanwhile: str) -> None:
    """Whatever was asked for is refused, for a whole message and for one of two, and nothing more happens."""
    runner = desk.runner()
    all_ = [case for case in cases(Direction.INBOUND, several=False) if case.state == "stalled"]
    all_ += [case for case in cases(Direction.INBOUND, several=True) if case.state == "stalled"]
    for case in all_:
        case.message = desk.held(*filter(None, (case.meant, case.other)), sender=case.sender)
        case.queue_id = desk.queue_id(case.message)
        ask(desk, case)
    left = desk.held("left@example.org", sender="left@example.com")
    desk.postfix.command("postsuper", *(word for case in all_ for word in (meanwhile, case.queue_id)))
    if meanwhile == "-H":
        desk.postfix.command("postqueue", "-f")
        receiver.wait_for(len(all_))
    wait_for(lambda: list(queues(desk)) == [desk.queue_id(left)], "all but one to be gone")
    desk.work(runner)
    gone = ("refused", "there is no such message in the queue any more")
    for case in all_:
        assert [desk.outcome(command) for command in case.commands] == [gone], case
    assert list(queues(desk).values()) == [("hold", ("left@example.org",))]
    served = Counter(address for one in receiver.received() for address in one.recipients)
    expected = {address for case in all_ for address in (case.meant, case.other) if address}
    assert desk.scanner.asked == 0
    if meanwhile == "-H":
        assert set(served) == expected and sum(served.values()) == 2 * len(TABLE) + len(TABLE)
    else:
        assert not served
