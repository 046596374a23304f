"""Killed while a queue file is divided; then the queue is listed, and only after that the command goes on.

The records see the original, the copies, or both, and must tell the truth once the agent has gone on.
"""

from __future__ import annotations

import itertools
import smtplib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mailweir.agent import divide
from mailweir.agent.command_rows import OPEN
from mailweir.agent.commands import Commands
from mailweir.agent.queue import QueueHelper
from mailweir.agent.request import request
from mailweir.records.models import Address, Command, Recipient
from mailweir.records.words import Status
from tests.harness.agents import House, Killed, turn_until

LISTINGS = 3  # more than it takes to believe that a queue file is gone


def killed_at(house: House, step: int) -> bool:
    """Force it for one of two, die at that step, list the queue, go on; whether there is such a step."""
    meant, other = f"meant{step}@example.org", f"other{step}@example.org"
    with smtplib.SMTP(house.stack.postfix.holding_service, local_hostname="t.example") as smtp:
        smtp.sendmail("sender@example.com", [meant, other], "Subject: x\n\nhello\n")
    agent = house.agent()
    turn_until(agent, lambda: fates(meant, other) == [Status.STALLED] * 2, "it to be known")
    message = Recipient.get(Recipient.address_id == Address.get(Address.address == meant).id).message_id
    who = {"user": "anna", "ip": "", "reason": "x", "clock": lambda: 1.0}
    request(action="force", message_id=message, address=meant, key=f"k{step}", **who)  # type: ignore[arg-type]
    try:
        with house.patch.context() as patch:
            die_after(patch, step)
            turn_until(agent, through, "the command to end")
        died = False
    except Killed:
        died = True
    agent.close()
    again = house.agent()
    if died:
        with house.patch.context() as patch:
            patch.setattr(Commands, "run", lambda self: 0)
            listed = count_listings(patch)
            turn_until(again, lambda: len(listed) >= LISTINGS, "listings of the queue")
    turn_until(again, through, f"the command to go on after step {step}")
    turn_until(
        again,
        lambda: fates(meant, other) == [Status.DELIVERED, Status.STALLED],
        f"the truth after step {step}",
    )
    again.close()
    return died


def die_after(patch: pytest.MonkeyPatch, step: int) -> None:
    """Kill the agent once it has done so many things to the queue."""
    left = itertools.count(step - 1, -1)

    def counted(original: Callable[..., Any]) -> Callable[..., Any]:
        def act(*arguments: Any) -> Any:
            result = original(*arguments)
            if next(left) == 0:
                raise Killed
            return result

        return act

    for owner, name in ((QueueHelper, "act"), (divide, "submit")):
        patch.setattr(owner, name, counted(getattr(owner, name)))


def count_listings(patch: pytest.MonkeyPatch) -> list[None]:
    """Grows with each listing of the queue."""
    listed: list[None] = []
    original = QueueHelper.listing

    def listing(helper: QueueHelper) -> Iterator[bytes]:
        yield from original(helper)
        listed.append(None)

    patch.setattr(QueueHelper, "listing", listing)
    return listed


def through() -> bool:
    return not Command.select().where(Command.state.in_(OPEN)).exists()


def fates(*addresses: str) -> list[Status]:
    """The status of the recipient of that address."""
    rows = Recipient.select(Address.address, Recipient.status).join(
        Address, on=(Address.id == Recipient.address_id)
    )
    known = {address: Status(status) for address, status in rows.tuples()}
    return [known[address] for address in addresses if address in known]


def test_killed_at_any_step_the_records_tell_the_truth(house: House) -> None:
    steps = next(step for step in itertools.count(1) if not killed_at(house, step))
    assert steps > 7
    served = [address for one in house.stack.received() for address in one.recipients]
    assert sorted(served) == sorted(f"meant{step}@example.org" for step in range(1, steps + 1))
    waiting = [one["address"] for item in house.stack.postfix.queue() for one in item["recipients"]]
    assert sorted(waiting) == sorted(f"other{step}@example.org" for step in range(1, steps + 1))
