"""A database that is down does not touch mail: the pages lag, and catch up by themselves.

On PostgreSQL, which is what several nodes share and what can be down while Mailweir is up.
"""

from __future__ import annotations

import json
import smtplib
from collections.abc import Iterator

import pytest

from tests.harness.postgresql import PostgreSQL
from tests.harness.stack import arrived, new_stack
from trial.processes import CommandFailed
from trial.stack import DAEMONS, Stack
from trial.waiting import wait_for


@pytest.fixture
def stack() -> Iterator[Stack]:
    with new_stack() as stack:
        yield stack


@pytest.fixture
def database(stack: Stack) -> Iterator[PostgreSQL]:
    """PostgreSQL, and everything else started upon it."""
    database = PostgreSQL(stack.state / "postgresql", stack.processes)
    database.start()
    stack.settings = {"database.url": database.url}
    stack.start()
    yield database
    database.stop()


def send(stack: Stack, first: int, last: int) -> None:
    with smtplib.SMTP("127.0.0.1", stack.ports.smtp) as smtp:
        for number in range(first, last):
            smtp.sendmail("sender@example.com", [f"user{number}@example.org"], f"Subject: {number}\n\n")


def recorded_as_delivered(stack: Stack) -> set[str]:
    rows = map(json.loads, stack.mailweir("mail-in", "--json", "--all").splitlines())
    return {row["recipient"] for row in rows if row["status"] == "delivered"}


def test_mail_flows_and_the_records_catch_up(stack: Stack, database: PostgreSQL) -> None:
    send(stack, 0, 10)
    wait_for(lambda: len(recorded_as_delivered(stack)) == 10, "the first ten")

    database.stop()
    send(stack, 10, 20)
    wait_for(lambda: len(set(arrived(stack, "example.org"))) == 20, "mail to flow all the same")
    with pytest.raises(CommandFailed, match="database"):
        stack.mailweir("mail-in", "--json")
    assert [name for name in DAEMONS if not stack.processes.alive(name)] == []

    database.start()
    everybody = {f"user{number}@example.org" for number in range(20)}
    wait_for(lambda: recorded_as_delivered(stack) == everybody, "the records to catch up", deadline=60)
