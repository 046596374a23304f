"""Unlock: somebody knows the password of a stalled attachment; what is in it is scanned, then as Retry.

The password goes from the page over a Unix socket into the agent's memory and is forgotten after the scan. It
is never in the database, in a log or on a command line; only that it was tried is, and how often.
"""

from __future__ import annotations

import json
import logging
import queue
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mailweir.agent.command_rows import OPEN
from mailweir.config import Config
from mailweir.errors import ConfigError, InputError, MailweirError, Refused, Unavailable
from mailweir.records.models import Audit, Command
from mailweir.records.words import CommandState

log = logging.getLogger("mailweir.agent")

FAILED = "unlock failed"  # what the audit trail says
MAX_PASSWORD = 1_000  # characters
_MAX_LINE = 1 << 16  # bytes
_WAITING = 16  # requests that may wait for the agent
_HOUR = 3600.0

Answer = queue.Queue[dict[str, Any]]  # holds one


@dataclass(frozen=True)
class Unlocked:
    """What became of one queue file of the message."""

    queue_id: str
    state: str  # a CommandState word
    result: str


@dataclass
class Wish:
    """One request on its way to the agent's loop; the password does not show in any print of it."""

    message_id: int
    address: str | None
    user: str
    ip: str
    password: str = field(repr=False)
    answer: Answer = field(default_factory=lambda: queue.Queue(1), repr=False)


def socket_path(config: Config) -> Path:
    """Where the agent listens."""
    return Path(config.agent.socket or Path(config.state_dir, "agent.sock"))


def unlock(
    config: Config, *, message_id: int, address: str | None, password: str, user: str, ip: str
) -> list[Unlocked]:
    """Ask the agent on this machine to open the message with that password; waits for the result.

    Raises InputError for an unusable password or message, Refused when nothing is stalled or after too many
    attempts, Unavailable when the agent does not answer.
    """
    if not password or len(password) > MAX_PASSWORD:
        raise InputError("give a password")
    path = socket_path(config)
    wish = {"message_id": message_id, "address": address, "password": password, "user": user, "ip": ip}
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(config.agent.unlock_timeout)
            connection.connect(str(path))
            connection.sendall(json.dumps(wish).encode() + b"\n")
            with connection.makefile("rb") as lines:
                answer = json.loads(lines.readline(_MAX_LINE) or b"{}")
    except (OSError, ValueError) as error:
        raise Unavailable(f"the agent at {path} does not answer: {error}") from error
    if "commands" not in answer:
        errors = {"InputError": InputError, "Refused": Refused}
        raise errors.get(str(answer.get("error")), Unavailable)(answer.get("reason", "the agent gave up"))
    return [Unlocked(**one) for one in answer["commands"]]


class Door:
    """The agent's socket: a thread takes requests in, the loop answers them with `serve`."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._wishes: queue.Queue[Wish] = queue.Queue(_WAITING)
        self._begun: list[tuple[Answer, Sequence[int]]] = []
        self._path = socket_path(config)
        self._listener = socket.socket(socket.AF_UNIX)
        temporary = self._path.with_name(self._path.name + ".new")
        try:
            temporary.unlink(missing_ok=True)
            self._listener.bind(str(temporary))
            temporary.chmod(0o660)  # the pages' user is in our group
            self._listener.listen(_WAITING)
            temporary.rename(self._path)
        except OSError as error:
            raise ConfigError(f"agent.socket: cannot listen at {self._path}: {error}") from error
        threading.Thread(target=self._accept, name="unlock", daemon=True).start()

    def close(self) -> None:
        """Take no more requests."""
        self._path.unlink(missing_ok=True)
        self._listener.close()

    def serve(
        self,
        begin: Callable[[Wish], Sequence[int]],
        ended: Callable[[Sequence[int]], list[Command] | None],
    ) -> bool:
        """Begin what waits and answer what has ended; whether there was any.

        begin gives the numbers of the commands that it made, ended those commands once all are through.
        Called by the loop, which alone uses the database.
        """
        some = False
        for answer, numbers in list(self._begun):
            if (commands := ended(numbers)) is not None:
                self._begun.remove((answer, numbers))
                answer.put({"commands": [_told(command) for command in commands]})
                some = True
        while True:
            try:
                wish = self._wishes.get_nowait()
            except queue.Empty:
                return some
            some = True
            try:
                self._begun.append((wish.answer, begin(wish)))
            except MailweirError as error:
                wish.answer.put({"error": type(error).__name__, "reason": str(error)})
            except BaseException:
                wish.answer.put({"error": "Unavailable", "reason": "the agent could not do it"})
                raise

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._take_in, args=(connection,), daemon=True).start()

    def _take_in(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rb") as lines:
                connection.settimeout(self._config.agent.unlock_timeout)
                values = json.loads(lines.readline(_MAX_LINE))
                address = values["address"]
                wish = Wish(
                    int(values["message_id"]),
                    None if address is None else str(address),
                    str(values["user"]),
                    str(values["ip"]),
                    str(values["password"])[:MAX_PASSWORD],
                )
                self._wishes.put_nowait(wish)
                answer = wish.answer.get(timeout=self._config.agent.unlock_timeout)
                connection.sendall(json.dumps(answer).encode() + b"\n")
        except (OSError, ValueError, KeyError, TypeError, queue.Full, queue.Empty) as error:
            # Never the request itself: the password stands in it.
            log.warning("a request to unlock could not be taken: %s", type(error).__name__)


def _told(command: Command) -> dict[str, str]:
    state = CommandState(command.state).word
    return {"queue_id": command.queue_id, "state": state, "result": command.result}


def check_attempts(config: Config, message_id: int, now: float) -> None:
    """Raise Refused when too many passwords were tried on the message within the last hour.

    One that is being tried counts as well, or many could be tried at the same time.
    """
    failed = Audit.select().where(
        Audit.message_id == message_id, Audit.what == FAILED, Audit.time > now - _HOUR
    )
    tried_now = Command.select().where(
        Command.message_id == message_id,
        Command.action == "unlock",
        Command.state.in_(OPEN),
    )
    if failed.count() + tried_now.count() >= config.agent.unlock_attempts:
        raise Refused("too many passwords were tried on this message: wait an hour")
