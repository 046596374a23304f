"""The agent's commands on a real queue, without the agent: mail on hold, its rows in the records, one runner.

The rows are what records/ingest.py would have written; so a test can also give them a lie.
"""

from __future__ import annotations

import itertools
import shutil
import smtplib
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from mailweir.agent.commands import Commands
from mailweir.agent.queue import QueueHelper
from mailweir.agent.request import request
from mailweir.agent.unlock import ask
from mailweir.config import Config
from mailweir.config import Helper as HelperSettings
from mailweir.config import Postfix as PostfixSettings
from mailweir.content.findings import Finding, Scan
from mailweir.policies.scopes import PolicySet
from mailweir.postlog.queue_id import arrival_us
from mailweir.records import db, ids, models
from mailweir.records.models import Address, Command, Leg, Message, Node, Recipient
from mailweir.records.text import reversed_domain
from mailweir.records.words import CommandState, Direction, LegKind, Queue, Source, Status
from tests.harness.servers import Receiver, Servers
from trial.postfix import Postfix
from trial.stack import to_toml
from trial.waiting import wait_for

OPENS = "0pen-Sesame"


class Scanner:
    """Finds what the test says."""

    def __init__(self) -> None:
        self.scan = Scan()
        self.asked = 0

    def scan_message(self, body: BinaryIO, size: int, *, passwords: Sequence[str] = ()) -> Scan:
        """The same for every message; OPENS is the password."""
        assert len(body.read()) == size
        self.asked += 1
        return Scan() if OPENS in passwords else self.scan


class Slow(Scanner):
    """Takes until it is told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()
        self.begun = threading.Semaphore(0)

    def scan_message(self, body: BinaryIO, size: int, *, passwords: Sequence[str] = ()) -> Scan:
        """Notes that it has begun, then waits."""
        scan = super().scan_message(body, size, passwords=passwords)
        self.begun.release()
        assert self.go_on.wait(60)
        return scan


@dataclass
class Desk:
    """A queue-helper for the private Postfix, a database, and a runner of commands."""

    servers: Servers
    postfix: Postfix
    scanner: Any = field(default_factory=Scanner)  # or the real one
    policies: PolicySet = field(default_factory=PolicySet.default)
    clock: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        state = self.servers.state
        self.config = Config(
            state_dir=str(state / "mailweir"),
            postfix=PostfixSettings(
                config_directory=str(self.postfix.config_directory),
                log=str(self.postfix.log),
                holding_service=self.postfix.holding_service,
                resubmit_service=self.postfix.resubmit_service,
            ),
            helper=HelperSettings(socket=str(state / "helper.sock"), allowed_user="root"),
        )
        values = {
            "state_dir": self.config.state_dir,
            "postfix.config_directory": self.config.postfix.config_directory,
            "postfix.log": self.config.postfix.log,
            "helper.socket": self.config.helper.socket,
            "helper.allowed_user": "root",
        }
        file = state / "mailweir.toml"
        file.write_text(to_toml(values))
        self.servers.mailweir("queue-helper", file)
        wait_for((state / "helper.sock").is_socket, "the helper's socket")
        self.database = db.connect(self.config)
        self.helper = QueueHelper(self.config)
        self._ids = ids.IdSource(0, 1)
        self._keys = itertools.count()

    def reset(self) -> None:
        """Forget everything: an empty queue, an empty inbox, empty tables, the usual policies and clock."""
        self.postfix.command("postsuper", "-d", "ALL")
        for file in (self.servers.state / "received").glob("*"):
            file.unlink()
        for model in models.ALL:
            if model is not models.Node:
                model.delete().execute()
        self.policies, self.scanner, self.clock = PolicySet.default(), Scanner(), time.time

    def runner(self, helper: QueueHelper | None = None) -> Commands:
        """A fresh runner, as after a restart of the agent."""
        return Commands(
            self.config,
            self.database,
            helper or self.helper,
            lambda: self.scanner,
            lambda: self.policies,
            self.clock,
        )

    def held(self, *recipients: str, sender: str = "a@example.edu", body: str = "hello") -> int:
        """Put a message on hold and write its rows; its Mail In ID."""
        message_id = self._ids.from_clock(time.time)
        before = {item["queue_id"] for item in self.postfix.queue()}
        text = f"X-Mailweir-ID: {ids.to_text(message_id)}\nSubject: held\n\n{body}\n"
        with smtplib.SMTP(self.postfix.holding_service, local_hostname="test.example") as smtp:
            smtp.sendmail(sender, recipients, text)
        (item,) = [item for item in self.postfix.queue() if item["queue_id"] not in before]
        self.rows(message_id, item["queue_id"], sender, *recipients)
        return message_id

    def rows(self, message_id: int, queue_id: str, sender: str, *recipients: str, **leg: Any) -> Leg:
        """The rows of a stalled message with one queue file."""
        arrival = arrival_us(queue_id) or 0
        number = self._ids.from_clock(time.time)
        with self.database.atomic():
            Message.create(
                id=message_id,
                node_id=0,
                source=Source.MILTER,
                sender_id=self.address(sender),
                verdict="stall",
            )
            values: dict[str, Any] = {
                "node_id": 0,
                "queue_id": queue_id,
                "arrival": arrival,
                "message_id": message_id,
                "kind": LegKind.FIRST,
                "queue": Queue.HOLD,
                "held": arrival / 1e6,
            }
            made = Leg.create(id=number, **(values | leg))
            for recipient in recipients:
                Recipient.create(
                    message_id=message_id,
                    address_id=self.address(recipient),
                    direction=Direction.INBOUND,
                    status=Status.STALLED,
                    verdict="stall",
                    leg_id=number,
                )
        return made

    def address(self, text: str) -> int:
        """The address's number."""
        row, _ = Address.get_or_create(
            address=text,
            defaults={"folded": text.lower(), "domain_reversed": reversed_domain(text)},
        )
        return int(row.id)

    def ask(self, action: str, message_id: int, address: str | None = None, **more: Any) -> list[Command]:
        """Request an act."""
        values = {"user": "anna", "ip": "192.0.2.1", "reason": "test", "key": f"key{next(self._keys)}"}
        return request(
            action=action, message_id=message_id, address=address, clock=self.clock, **(values | more)
        )

    def act(self, action: str, message_id: int, address: str | None = None, **more: Any) -> tuple[str, str]:
        """Request an act and carry it out; its state and result."""
        (command,) = self.ask(action, message_id, address, **more)
        self.work()
        return self.outcome(command)

    def work(self, runner: Commands | None = None) -> None:
        """Carry out all that is asked for, scans too; without a runner as an agent that has just started."""
        runner = runner or self.runner()
        while runner.run():
            pass

    def give(self, message_id: int, password: str, address: str | None = None) -> Command:
        """Ask to open the message with that password, sealed for the runner made last."""
        Node.update(seen=self.clock()).execute()
        who = {"user": "anna", "ip": "192.0.2.1", "clock": self.clock}
        (number,) = ask(self.config, message_id=message_id, address=address, password=password, **who)  # type: ignore[arg-type]
        return Command.get_by_id(number)  # type: ignore[no-any-return]

    def unlock(self, message_id: int, password: str) -> tuple[str, str]:
        """Try that password; the command's state and result."""
        runner = self.runner()
        command = self.give(message_id, password)
        self.work(runner)
        return self.outcome(command)

    def outcome(self, command: Command) -> tuple[str, str]:
        """State and result as they stand now."""
        row = Command.get_by_id(command.id)
        return CommandState(row.state).word, row.result

    def queue(self) -> dict[str, tuple[str, ...]]:
        """Who is waiting where: queue name of each sole entry, then its recipients."""
        return {
            item["queue_name"]: tuple(one["address"] for one in item["recipients"])
            for item in self.postfix.queue()
        }

    def queue_id(self, message_id: int) -> str:
        """The queue ID of the message's only leg."""
        return str(Leg.get(Leg.message_id == message_id).queue_id)


ENCRYPTED = Scan((Finding("encrypted-zip", "2/a.zip", "a.zip"),))


@contextmanager
def desk_house() -> Iterator[tuple[Desk, Receiver]]:
    """A Postfix without a filter, its receiving servers, and a desk: for a module's tests to share."""
    state = Path(tempfile.mkdtemp(prefix="mw-", dir="/var/tmp"))
    state.chmod(0o755)
    servers = Servers(state)
    try:
        receiver = servers.receiver()
        yield Desk(servers, servers.postfix(receiver, filtered=False, in_flow_delay="0")), receiver
    finally:
        servers.stop()
        shutil.rmtree(state)
