"""While a message is scanned again, for however long, the agent's other duties go on."""

from __future__ import annotations

import smtplib
import time

from mailweir.agent.loop import Agent
from mailweir.agent.request import request
from mailweir.records.models import Address, Command, Node, Recipient
from mailweir.records.words import CommandState, Status
from tests.harness.agents import House, turn_until
from tests.harness.desk import Slow


def send(service: str, recipient: str) -> None:
    with smtplib.SMTP(service, local_hostname="t.example") as smtp:
        smtp.sendmail("sender@example.com", [recipient], "Subject: x\n\nhello\n")


def recipients(address: str, status: Status) -> list[Recipient]:
    known = Address.select(Address.id).where(Address.address == address)
    return list(Recipient.select().where(Recipient.address_id.in_(known), Recipient.status == status))


def ask(action: str, recipient: Recipient) -> Command:
    who = {"user": "anna", "ip": "", "reason": "x", "clock": time.time}
    (command,) = request(action=action, message_id=recipient.message_id, address=None, key=action, **who)  # type: ignore[arg-type]
    return command


def test_log_acts_and_reports_go_on(house: House) -> None:
    postfix, slow = house.stack.postfix, Slow()
    offset = 0.0
    agent = Agent(house.config, house.database, lambda: slow, monotonic=lambda: time.monotonic() + offset)
    try:
        for name in ("slow", "quick"):
            send(postfix.holding_service, f"{name}@example.org")
            turn_until(agent, lambda name=name: recipients(f"{name}@example.org", Status.STALLED), "both")
        retry = ask("retry", recipients("slow@example.org", Status.STALLED)[0])
        turn_until(agent, lambda: slow.begun.acquire(blocking=False), "the scan to begin")
        reported = Node.get().seen
        force = ask("force", recipients("quick@example.org", Status.STALLED)[0])
        turn_until(agent, lambda: Command.get_by_id(force.id).state == CommandState.DONE, "another act")
        turn_until(agent, lambda: recipients("quick@example.org", Status.DELIVERED), "the log's word of it")
        send(postfix.resubmit_service, "new@example.org")
        turn_until(agent, lambda: recipients("new@example.org", Status.DELIVERED), "new mail in the records")
        offset = 6.0
        turn_until(agent, lambda: Node.get().seen > reported, "a report")
        assert Command.get_by_id(retry.id).state == CommandState.RUNNING
        slow.go_on.set()
        turn_until(agent, lambda: Command.get_by_id(retry.id).state == CommandState.DONE, "the scan's end")
    finally:
        slow.go_on.set()
        agent.close()
