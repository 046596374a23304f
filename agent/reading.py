"""A look into a message in the queue: its header or all of it, for one who may, for some minutes.

The pages cannot read Postfix's queue, so the agent does, after the same checks as for any act. What it read
lies in the database encrypted with a key that only the asking user's session has.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from peewee import Database

from mailweir.agent.entrusted import entrust
from mailweir.agent.request import request
from mailweir.config import Config
from mailweir.errors import InputError
from mailweir.records import models
from mailweir.records.models import Command, Content

READS = ("headers", "content")
HEADER_MOST = 1 << 18  # bytes of a header that are shown
_NONCE = 12


@dataclass(frozen=True)
class Look:
    """What was asked for: the command, and the key that opens what it brings."""

    command: int
    key: str


@dataclass(frozen=True)
class Letter:
    """What was read: the message's beginning or all of it, and its whole size in bytes."""

    data: bytes
    size: int

    @property
    def is_cut(self) -> bool:
        """Whether there is more than may be shown."""
        return len(self.data) < self.size


def ask(*, what: str, message_id: int, user: str, ip: str, clock: Callable[[], float]) -> Look:
    """Ask the agent to read; what is "headers" or "content".

    Raises InputError for another word or no such message, Refused when it has left the queue, Unavailable
    when the agent that has it does not run.
    """
    if what not in READS:
        raise InputError("there is %(all)s to read", all=" and ".join(READS))
    key = secrets.token_hex(32)
    database: Database = models.database.obj
    with database.atomic():
        (command,) = request(
            action=what, message_id=message_id, address=None, user=user, ip=ip, reason="",
            key=secrets.token_hex(16), clock=clock,
        )  # fmt: skip
        entrust([command], key, clock())
    return Look(command.id, key)


def find(look: Look, now: float) -> Letter | None:
    """What was read; None when it is not there (yet), or not any more, or the key is another's."""
    row = Content.get_or_none(Content.command_id == look.command)
    if row is None or row.expires < now:
        return None
    box = bytes(row.box)
    try:
        data = _cipher(look.key).decrypt(box[:_NONCE], box[_NONCE:], _name(look.command))
    except (InvalidTag, ValueError):
        return None
    return Letter(data, row.size)


class Reading:
    """The agent's end."""

    def __init__(self, config: Config, clock: Callable[[], float]) -> None:
        self._limits = config.agent
        self._clock = clock

    def read(self, what: str, body: BinaryIO, size: int) -> Letter:
        """As much of the message as may be shown; of a header, the size is its own."""
        if what == "content":
            return Letter(body.read(self._limits.content_most), size)
        beginning = body.read(HEADER_MOST)
        header, blank, _ = beginning.partition(b"\n\n")
        return Letter(header, len(header) if blank or size <= HEADER_MOST else size)

    def keep(self, command: Command, letter: Letter, key: str) -> None:
        """Put it where whoever asked can fetch it."""
        nonce = os.urandom(_NONCE)
        box = nonce + _cipher(key).encrypt(nonce, letter.data, _name(command.id))
        expires = self._clock() + self._limits.content_keep
        Content.delete().where(Content.command_id == command.id).execute()  # of an interrupted run
        Content.insert(command_id=command.id, box=box, size=letter.size, expires=expires).execute()

    def forget(self) -> None:
        """Remove what was there long enough."""
        Content.delete().where(Content.expires < self._clock()).execute()


def _cipher(key: str) -> ChaCha20Poly1305:
    return ChaCha20Poly1305(bytes.fromhex(key))


def _name(command: int) -> bytes:
    return b"content %d" % command
