"""Unlock: somebody knows the password of a stalled attachment; what is in it is scanned, then as Retry.

The password goes sealed (entrusted.py) from the page to the agent whose Postfix has the message, on whatever
machine, and is in its memory for one scan. In clear it is never in the database, in a log or on a command
line; only that it was tried is, and how often.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from peewee import Database

from mailweir.agent.command_rows import OPEN
from mailweir.agent.entrusted import agent_of, entrust
from mailweir.agent.request import request
from mailweir.config import Config
from mailweir.errors import InputError, Refused, Unavailable
from mailweir.records import audit, models
from mailweir.records.models import Audit, Command
from mailweir.records.words import CommandState

FAILED = "unlock failed"  # what the audit trail says
MAX_PASSWORD = 1_000  # characters
_HOUR = 3600.0
_LOOK = 0.05  # seconds between two looks at whether the agent is through


@dataclass(frozen=True)
class Unlocked:
    """What became of one queue file of the message."""

    queue_id: str
    state: str  # a CommandState word
    result: str


def unlock(
    config: Config,
    *,
    message_id: int,
    address: str | None,
    password: str,
    user: str,
    ip: str,
    clock: Callable[[], float] = time.time,
) -> list[Unlocked]:
    """Ask to open the message with that password; waits for the result.

    Raises InputError for an unusable password or message, Refused when nothing is stalled or after too many
    attempts, Unavailable when the agent does not run or is not through in time.
    """
    numbers = ask(
        config, message_id=message_id, address=address, password=password, user=user, ip=ip, clock=clock
    )
    until = time.monotonic() + config.agent.unlock_timeout
    while True:
        rows = list(Command.select().where(Command.id.in_(numbers)).order_by(Command.id))
        if all(row.state not in OPEN for row in rows):
            return [Unlocked(row.queue_id, CommandState(row.state).word, row.result) for row in rows]
        for row in rows:
            if row.state in OPEN:
                agent_of(row, clock())
        if time.monotonic() > until:
            raise Unavailable("the agent is not through yet: look at the message again in a while")
        time.sleep(_LOOK)


def ask(
    config: Config,
    *,
    message_id: int,
    address: str | None,
    password: str,
    user: str,
    ip: str,
    clock: Callable[[], float],
    key: str = "",
) -> list[int]:
    """The same without waiting; the numbers of the commands. The same key twice asks once."""
    if not password or len(password) > MAX_PASSWORD:
        raise InputError("give a password")
    database: Database = models.database.obj
    with database.atomic():
        audit.one_at_a_time(database)  # so that those that ask at the same instant are counted
        asked = Command.select().where(Command.key.startswith(f"{key}:"), Command.message_id == message_id)
        if key and asked.exists():
            return [command.id for command in asked]
        check_attempts(config, message_id, clock())
        commands = request(
            action="unlock",
            message_id=message_id,
            address=address,
            user=user,
            ip=ip,
            reason="",
            key=key or secrets.token_hex(16),
            clock=clock,
        )
        entrust(commands, password, clock())
    return [command.id for command in commands]


def check_attempts(config: Config, message_id: int, now: float) -> None:
    """Raise Refused when too many passwords were tried on the message within the last hour.

    One that is being tried counts as well, or many could be tried at the same time.
    """
    failed = Audit.select().where(
        Audit.message_id == message_id, Audit.what == FAILED, Audit.time > now - _HOUR
    )
    tried_now = Command.select().where(
        Command.message_id == message_id, Command.action == "unlock", Command.state.in_(OPEN)
    )
    if failed.count() + tried_now.count() >= config.agent.unlock_attempts:
        raise Refused("too many passwords were tried on this message: wait an hour")
