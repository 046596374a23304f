"""Killing any one process while mail is coming in loses neither a message nor a Mail In record.

Counted in four places that do not know of each other: the sender, the receiving server, the journal, the
database. What was killed is started again at once, as systemd would.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator

import pytest

from mailweir.records.words import Status
from tests.harness.stack import Sender, arrived, journalled, recorded, running_stack
from trial.processes import children_of
from trial.stack import Stack
from trial.waiting import wait_for

MESSAGES = 500


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running_stack() as running:
        yield running


@pytest.fixture(scope="module")
def sender(stack: Stack) -> Iterator[Sender]:
    server = Sender(stack)
    server.start()
    yield server
    server.stop()


def kill_and_restart(name: str) -> Callable[[Stack], None]:
    def act(stack: Stack) -> None:
        stack.processes.kill(name)
        stack.start_daemon(name)

    return act


def kill_clamd(stack: Stack) -> None:
    stack.processes.kill("clamd")
    stack.clamd.start(stack.processes)


def kill_one_worker(stack: Stack) -> None:
    """The milter's parent replaces a worker by itself."""
    workers = children_of(stack.processes.pid("milter"))
    os.kill(workers[0], signal.SIGKILL)
    wait_for(
        lambda: len(set(children_of(stack.processes.pid("milter"))) - {workers[0]}) >= len(workers),
        "another worker",
    )


def kept(stack: Stack) -> int:
    """How many messages the receiving servers got; counted quickly, as the rest comes meanwhile."""
    return sum(1 for _ in stack.inbox.glob("*.json"))


ACTS = {
    "milter": kill_and_restart("milter"),
    "one worker": kill_one_worker,
    "agent": kill_and_restart("agent"),
    "queue-helper": kill_and_restart("queue-helper"),
    "web": kill_and_restart("web"),
    "clamd": kill_clamd,
}


@pytest.mark.parametrize("victim", ACTS)
def test_nothing_is_lost(victim: str, stack: Stack, sender: Sender) -> None:
    domain = f"{victim.replace(' ', '-')}.example.org"
    before = kept(stack)
    sent = sender.send(MESSAGES, "sender@example.com", domain)
    assert len(sent) == MESSAGES
    wait_for(lambda: kept(stack) - before > MESSAGES // 10, "mail to flow")
    assert kept(stack) - before < MESSAGES, "too late to kill anything"
    ACTS[victim](stack)
    sender.wait_until_sent()

    wait_for(lambda: set(arrived(stack, domain)) == sent, "all to arrive", deadline=60)
    assert journalled(stack, domain) == sent
    wait_for(
        lambda: recorded(stack, domain, Status.DELIVERED) == sent,
        "all to be recorded as delivered",
        deadline=60,
        explain=lambda: (
            f"{len(recorded(stack, domain, Status.DELIVERED))} are; missing, for example "
            f"{sorted(sent - recorded(stack, domain, Status.DELIVERED))[:3]}"
        ),
    )
    wait_for(
        lambda: not any(recorded(stack, domain, status) for status in (Status.FILTERING, Status.QUEUED)),
        "nothing to be called pending that has gone",
    )
