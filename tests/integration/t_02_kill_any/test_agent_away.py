"""Mail goes on while the agent is away; when it is back, each message is one record and each ends right.

The journal is then far ahead of the log, also for what the filter turned away; Postfix uses long queue IDs
or, as by default, short ones.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailweir.records.words import Source, Status
from tests.harness.stack import Sender, arrived, journalled, query, recorded
from trial.stack import Stack
from trial.waiting import wait_for

MESSAGES = 150
DOMAIN = "away.example.org"


@pytest.fixture(params=["yes", "no"], ids=["long queue IDs", "short queue IDs"])
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    state = Path(tempfile.mkdtemp(prefix="mw-", dir="/var/tmp"))
    state.chmod(0o755)
    stack = Stack(state, postfix_settings={"enable_long_queue_ids": request.param})
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()
        shutil.rmtree(state)


def test_the_records_are_right_when_it_is_back(stack: Stack) -> None:
    stack.processes.stop("agent")
    stack.processes.kill("clamd")  # so that the filter refuses for now what comes at first
    sender = Sender(stack)
    sender.start()
    try:
        sent = sender.send(MESSAGES, "sender@example.com", DOMAIN)
        log = stack.postfix.log
        wait_for(lambda: log.read_text("utf-8", "replace").count(": milter-reject: ") > 20, "refusals")
        stack.clamd.start(stack.processes)
        sender.wait_until_sent()
        wait_for(lambda: set(arrived(stack, DOMAIN)) == sent, "all to arrive", deadline=60)
    finally:
        sender.stop()
    assert journalled(stack, DOMAIN) == sent
    refusals = log.read_text("utf-8", "replace").count(": milter-reject: ")

    stack.start_daemon("agent")
    wait_for(lambda: recorded(stack, DOMAIN, Status.DELIVERED) == sent, "all to be recorded", deadline=60)
    wait_for(lambda: not query(stack, "SELECT 1 FROM recipient WHERE status = ?", Status.FILTERING.value),
             "nothing to be called filtering")  # fmt: skip
    rows = query(stack, "SELECT r.status FROM recipient r JOIN message m ON m.id = r.message_id")
    counts = Counter(Status(number) for (number,) in rows)
    assert counts == {Status.DELIVERED: MESSAGES, Status.REJECTED: refusals}
    sources = {Source(number) for (number,) in query(stack, "SELECT DISTINCT source FROM message")}
    assert sources == {Source.MILTER}
