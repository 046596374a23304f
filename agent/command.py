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
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress

from mailweir import log as logs
from mailweir.agent import bulk, loop
from mailweir.agent.request import ACTS, request
from mailweir.agent.unlock import unlock as ask_unlock
from mailweir.config import Config
from mailweir.content.scanner import Scanner
from mailweir.errors import InputError, MailweirError
from mailweir.plain import visible
from mailweir.records import db, ids, search
from mailweir.records.models import Address, Command
from mailweir.records.words import CommandState

_AT_ONCE = 500  # commands asked after in one query
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

    @click.argument("mail_in_id", metavar="[ID]", default="")
    @click.option(
        "--recipient", "recipients", multiple=True, metavar="ADDRESS", help="Only for this recipient."
    )
    @click.option(
        "--matching",
        default="",
        metavar="SEARCH",
        help="Instead of ID: all pending mail that a search like that of the pages finds; “*” for all.",
    )
    @click.option("--reason", default="", help="Why; kept in the audit trail.")
    @click.option("--wait", default=30.0, show_default=True, help="Seconds to wait for the agent.")
    @click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
    @click.pass_obj
    def run(
        config: Config,
        mail_in_id: str,
        recipients: tuple[str, ...],
        matching: str,
        reason: str,
        wait: float,
        as_json: bool,
    ) -> None:
        if bool(mail_in_id) == bool(matching):
            raise InputError("give either the Mail In ID or --matching")
        db.connect(config)
        values = {
            "action": action,
            "user": _user(),
            "ip": "",
            "reason": reason or "asked for on the command line",
            "clock": time.time,
        }
        key = secrets.token_hex(16)
        if matching:
            wanted = search.parse("" if matching == "*" else matching, now=time.time())
            numbers = _ask_matching(wanted, key, values)
            if not numbers:
                click.echo("nothing that matches is in the queue", err=True)
        else:
            numbers = _ask_one(ids.from_text(mail_in_id), recipients, key, values)
        commands = _wait(numbers, wait, time.monotonic, progress=bool(matching))
        for command in commands:
            click.echo(_as_json(command) if as_json else _as_text(command))
        if any(command.state != CommandState.DONE for command in commands):
            raise click.exceptions.Exit(MailweirError.exit_code)

    return click.command(action, help=ACTS[action].meaning)(run)


force, retry, delete = _act("force"), _act("retry"), _act("delete")
return_, hold, release = _act("return"), _act("hold"), _act("release")


@click.command()
@click.argument("mail_in_id", metavar="ID")
@click.option("--recipient", metavar="ADDRESS", help="Only for this recipient.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.pass_obj
def unlock(config: Config, mail_in_id: str, recipient: str | None, password_stdin: bool) -> None:
    """Scan what a password opens, and release the message if it passes. The password is not kept."""
    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = click.prompt("Password", hide_input=True)
    db.connect(config)
    found = ask_unlock(
        config,
        message_id=ids.from_text(mail_in_id),
        address=recipient,
        password=password,
        user=_user(),
        ip="",
    )
    for one in found:
        click.echo(visible(f"unlock {one.queue_id}: {one.state}: {one.result}"))
    if any(one.state != CommandState.DONE.word for one in found):
        raise click.exceptions.Exit(MailweirError.exit_code)


def _user() -> str:
    """Who asks: through sudo, the person and not root."""
    return os.environ.get("SUDO_USER") or getpass.getuser()


def _ask_one(message_id: int, recipients: Sequence[str], key: str, values: dict[str, Any]) -> list[int]:
    commands: list[Command] = []
    for number, address in enumerate(recipients or (None,)):
        commands += request(message_id=message_id, address=address, key=f"{key}.{number}", **values)
    return [command.id for command in commands]


def _ask_matching(wanted: search.Filter, key: str, values: dict[str, Any]) -> list[int]:
    numbers: list[int] = []
    for asked in bulk.request_matching(wanted, key=key, **values):
        numbers += asked.commands
        if asked.refused:
            click.echo(f"{ids.to_text(asked.message_id)}: {visible(asked.refused)}", err=True)
    return numbers


def _wait(
    numbers: list[int], seconds: float, monotonic: Callable[[], float], *, progress: bool = False
) -> list[Command]:
    """The commands once the agent is through with them; the time counts from its last sign of life."""
    finished: list[Command] = []
    left, end = list(numbers), monotonic() + seconds
    with Progress(console=Console(stderr=True), transient=True, disable=not progress) as bar:
        task = bar.add_task("", total=len(numbers))
        while left and monotonic() < end:
            head = left[:_AT_ONCE]
            done = Command.select().where(Command.id.in_(head), Command.state.in_(_FINISHED))
            found = {command.id: command for command in done}
            if found:
                finished += found.values()
                left = [number for number in left if number not in found]
                bar.advance(task, len(found))
                end = monotonic() + seconds
            else:
                time.sleep(_LOOK)
    for start in range(0, len(left), _AT_ONCE):
        finished += Command.select().where(Command.id.in_(left[start : start + _AT_ONCE]))
    return sorted(finished, key=lambda command: int(command.id))


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
