"""The agent as it runs: killed in the middle of many acts, it does each once and the records stay true."""

from __future__ import annotations

import json
import smtplib
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailweir.config import Config
from mailweir.records import audit, db
from trial.stack import Stack
from trial.waiting import wait_for

MANY = 60
SENDER = "sender@example.com"


@pytest.fixture
def stack(state: Path) -> Iterator[Stack]:
    """Everything but the pages, with a queue that is listed every second."""
    stack = Stack(state, postfix_settings={"in_flow_delay": "0"})
    try:
        stack.configure()
        stack.start_receiver()
        stack.postfix.start()
        for name in ("queue-helper", "agent"):
            stack.start_daemon(name)
        yield stack
    finally:
        stack.stop()


def hold(stack: Stack, *recipients: str) -> None:
    """Put a message on hold, as the filter does."""
    with smtplib.SMTP(stack.postfix.holding_service, local_hostname="t.example") as smtp:
        smtp.sendmail(SENDER, recipients, f"Subject: for {recipients[0]}\n\nhello\n")


def quarantine(stack: Stack) -> list[dict[str, str]]:
    return [json.loads(line) for line in stack.mailweir("quarantine", "--all", "--json").splitlines()]


def statuses(stack: Stack) -> Counter[str]:
    lines = stack.mailweir("mail-in", "--all", "--json").splitlines()
    return Counter(json.loads(line)["status"] for line in lines)


def states(stack: Stack) -> Counter[int]:
    with sqlite3.connect(stack.state / "mailweir" / "mailweir.db") as database:
        return Counter(dict(database.execute("SELECT state, count(*) FROM command GROUP BY state")))


def test_killed_in_the_middle_of_many_acts_each_happens_once(stack: Stack) -> None:
    for number in range(MANY):
        hold(stack, f"r{number}@example.org")
    wait_for(lambda: len(quarantine(stack)) == MANY, "the records to know all")
    by_hand = quarantine(stack)[0]
    stack.postfix.command("postsuper", "-d", by_hand["queue_id"])
    stack.mailweir("force", "--matching", "*", "--wait", "0", check=False)
    for left in (MANY - 1, MANY - 20, MANY - 40):
        wait_for(lambda left=left: len(stack.postfix.queue()) <= left, "some to leave the queue")
        stack.processes.kill("agent")
        stack.processes.stop("agent")
        stack.start_daemon("agent")
    wait_for(lambda: set(states(stack)) <= {3, 4, 5}, "the end of all commands", deadline=60)
    wait_for(lambda: len(stack.received()) == MANY - 1, "all to arrive")
    recipients = Counter(address for one in stack.received() for address in one.recipients)
    assert set(recipients.values()) == {1}, "nobody got it twice"
    assert by_hand["recipient"] not in recipients
    wait_for(
        lambda: statuses(stack) == Counter(delivered=MANY - 1, deleted=1),
        "the records to tell the truth",
        explain=lambda: str(statuses(stack)),
    )
    database = db.connect(Config(state_dir=str(stack.state / "mailweir")))
    assert audit.broken(database) is None
    database.close()


def test_the_records_follow_when_one_of_several_recipients_is_acted_on(stack: Stack) -> None:
    hold(stack, "one@example.org", "two@example.org", "three@example.org")
    wait_for(lambda: len(quarantine(stack)) == 3, "three stalled recipients")
    identifier = quarantine(stack)[0]["mail_in_id"]
    said = stack.mailweir("force", identifier, "--recipient", "two@example.org", "--reason", "asked for")
    assert "done" in said
    wait_for(
        lambda: statuses(stack) == Counter(delivered=1, stalled=2),
        "one delivered",
        explain=lambda: str(statuses(stack)),
    )
    assert {row["mail_in_id"] for row in quarantine(stack)} == {identifier}, "it still is the same message"
    assert "done" in stack.mailweir("delete", identifier, "--recipient", "one@example.org")
    wait_for(
        lambda: statuses(stack) == Counter(delivered=1, stalled=1, deleted=1),
        "one deleted",
        explain=lambda: str(statuses(stack)),
    )
    assert "done" in stack.mailweir("return", identifier)
    wait_for(
        lambda: statuses(stack)["returned"] == 1 and statuses(stack)["stalled"] == 0,
        "one returned",
        explain=lambda: str(statuses(stack)),
    )
    wait_for(lambda: stack.postfix.queue() == [], "an empty queue, the bounce too")
