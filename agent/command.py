"""`mailweir agent`, and `mailweir force|retry|delete|return|hold|release ID`: acts from the command line.

The acts go the same way as those of the pages: a row in the database, carried out by the agent; the command
line waits for what truly happened and prints it.
"""

from __future__ import annotations

import getpass
import json
import logging
import os
import secrets
import signal
import threading
import time
from collections.abc import Callable

import click

from mailweir import log as logs
from mailweir.agent import loop
from mailweir.agent.request import ACTS, request
from mailweir.config import Config
from mailweir.content.scanner import Scanner
from mailweir.errors import MailweirError
from mailweir.plain import visible
from mailweir.records import db, ids
from mailweir.records.models import Address, Command
from mailweir.records.words import CommandState

_LOOK = 0.1  # seconds between two looks at whether the agent is through
_FINISHED = (CommandState.DONE, CommandState.FAILED, CommandState.REFUSED)


@click.command()
@click.pass_obj
def agent(config: Config) -> None:
    """Follow the mail log, carry out what the pages ask for, keep lifetimes, until stopped."""
    logs.to_stderr()
    scanner = Scanner(config)  # it may start processes, so before there is any thread
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        loop.run(config, db.connect(config), lambda: scanner, stop)
    finally:
        scanner.close()
    logging.getLogger("mailweir.agent").info("stopped")


def _act(action: str) -> click.Command:
    """The command line of one act."""

    @click.argument("mail_in_id", metavar="ID")
    @click.option(
        "--recipient", "recipients", multiple=True, metavar="ADDRESS", help="Only for this recipient."
    )
    @click.option("--reason", default="", help="Why; kept in the audit trail.")
    @click.option("--wait", default=30.0, show_default=True, help="Seconds to wait for the agent.")
    @click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
    @click.pass_obj
    def run(
        config: Config, mail_in_id: str, recipients: tuple[str, ...], reason: str, wait: float, as_json: bool
    ) -> None:
        db.connect(config)
        message_id = ids.from_text(mail_in_id)
        key = secrets.token_hex(16)
        commands: list[Command] = []
        for number, address in enumerate(recipients or (None,)):
            commands += request(
                action=action,
                message_id=message_id,
                address=address,
                user=_user(),
                ip="",
                reason=reason or "asked for on the command line",
                key=f"{key}.{number}",
                clock=time.time,
            )
        commands = _wait([command.id for command in commands], wait, time.monotonic)
        for command in commands:
            click.echo(_as_json(command) if as_json else _as_text(command))
        if any(command.state != CommandState.DONE for command in commands):
            raise click.exceptions.Exit(MailweirError.exit_code)

    return click.command(action, help=ACTS[action].meaning)(run)


force, retry, delete = _act("force"), _act("retry"), _act("delete")
return_, hold, release = _act("return"), _act("hold"), _act("release")


def _user() -> str:
    """Who asks: through sudo, the person and not root."""
    return os.environ.get("SUDO_USER") or getpass.getuser()


def _wait(numbers: list[int], seconds: float, monotonic: Callable[[], float]) -> list[Command]:
    end = monotonic() + seconds
    while True:
        commands = list(Command.select().where(Command.id.in_(numbers)).order_by(Command.id))
        if all(command.state in _FINISHED for command in commands) or monotonic() >= end:
            return commands
        time.sleep(_LOOK)


def _as_text(command: Command) -> str:
    whom = f" for {_recipient(command)}" if command.address_id is not None else ""
    state = CommandState(command.state)
    said = command.result or "the agent has not carried it out yet; it will when it runs"
    return visible(f"{command.action} {command.queue_id}{whom}: {state.word}: {said}")


def _as_json(command: Command) -> str:
    return json.dumps(
        {
            "mail_in_id": ids.to_text(command.message_id),
            "action": command.action,
            "queue_id": command.queue_id,
            "recipient": _recipient(command),
            "state": CommandState(command.state).word,
            "result": command.result,
        }
    )


def _recipient(command: Command) -> str:
    row = Address.get_or_none(Address.id == command.address_id) if command.address_id is not None else None
    return row.address if row else ""
