"""The whole product for a test, and a server on the Internet that keeps trying to send it mail.

A test that kills things needs a sender that tries again when it is told to, as every mail server does: it is
a second private Postfix, without a filter, whose queue empties once everything has been accepted.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from mailweir.records.words import Status
from trial.postfix import Postfix
from trial.stack import Stack
from trial.waiting import wait_for


@contextmanager
def new_stack(**settings: Any) -> Iterator[Stack]:
    """Everything, not started yet, in a directory of its own; stopped and removed in the end.

    Rotated logs stay as they are, as with logrotate's delaycompress.
    """
    state = Path(tempfile.mkdtemp(prefix="mw-", dir="/var/tmp"))
    state.chmod(0o755)
    stack = Stack(state, settings=settings, postfix_settings={"maillog_file_compressor": "true"})
    try:
        yield stack
    finally:
        stack.stop()
        shutil.rmtree(state)


@contextmanager
def running_stack(**settings: Any) -> Iterator[Stack]:
    """The same, started."""
    with new_stack(**settings) as stack:
        stack.start()
        yield stack


class Sender:
    """A mail server that sends to the stack's port 25 and tries again every second."""

    def __init__(self, stack: Stack) -> None:
        port = stack.ports.smtp
        eager = {
            "relay_domains": "",
            "queue_run_delay": "1s",
            "minimal_backoff_time": "1s",
            "maximal_backoff_time": "1s",
            "transport_retry_time": "1s",
            "smtp_destination_rate_delay": "0s",
            "smtp_destination_concurrency_failed_cohort_limit": "1000",
            "bounce_queue_lifetime": "1h",
        }
        directory = stack.state / "sender"
        self.postfix = Postfix(directory, port, port, settings=eager, filtered=False)

    def start(self) -> None:
        """Start it.

        A message that is due while its last attempt is still being noted goes back to the incoming queue,
        which the queue manager looks through when it is woken up: every 300 seconds by default.
        """
        self.postfix.start()
        self.postfix.command("postconf", "-F", "qmgr/unix/wakeup=1")
        self.postfix.command("postfix", "reload")

    def stop(self) -> None:
        """Stop it."""
        self.postfix.stop()

    def send(self, count: int, sender: str, domain: str, *, size: int = 2000) -> set[str]:
        """Begin to hand in so many messages with smtp-source, each to another recipient; returns those."""
        target = f"127.0.0.1:{self.postfix.smtp_port}"
        options = ["-N", "-s", "4", "-m", str(count), "-l", str(size), "-f", sender, "-t", f"to@{domain}"]
        self._source = subprocess.Popen(["smtp-source", *options, target])
        return {f"{number}to@{domain}" for number in range(1, count + 1)}

    def wait_until_sent(self, *, deadline: float = 90.0) -> None:
        """Wait until everything has been handed in and accepted."""
        assert self._source.wait(deadline) == 0, "smtp-source gave up"
        wait_for(
            lambda: not self.postfix.queue(),
            "the sender's queue to empty",
            deadline=deadline,
            explain=lambda: f"{len(self.postfix.queue())} wait, such as {self.postfix.queue()[:1]}",
        )


def journalled(stack: Stack, domain: str) -> set[str]:
    """Recipients of that domain whose message the filter noted as accepted, read from the journal files."""
    found: set[str] = set()
    for path in (stack.state / "mailweir" / "journal").iterdir():
        for line in path.read_bytes().splitlines():
            entry = json.loads(line)
            if entry["event"] == "message" and entry["verdict"] == "accept":
                found |= {one["address"] for one in entry["recipients"]}
    return {address for address in found if address.endswith("@" + domain)}


def query(stack: Stack, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """Rows of the stack's SQLite database, read without Mailweir's own code."""
    with closing(sqlite3.connect(f"file:{stack.state}/mailweir/mailweir.db?mode=ro", uri=True)) as database:
        return database.execute(sql, values).fetchall()


def recorded(stack: Stack, domain: str, status: Status) -> set[str]:
    """Recipients of that domain who have that status in the database."""
    rows = query(stack, "SELECT a.address, r.status FROM recipient r JOIN address a ON a.id = r.address_id")
    return {address for address, number in rows if number == status and address.endswith("@" + domain)}


def arrived(stack: Stack, domain: str) -> list[str]:
    """Recipients of that domain whose message reached the receiving server, once for each time."""
    return [
        address
        for message in stack.received()
        for address in message.recipients
        if address.endswith("@" + domain)
    ]
