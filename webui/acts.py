"""Acts on mail, for page and API alike: what a user chose becomes requests to the agent, and their results.

A key made with the form or by the caller marks all requests of one go, so that repeating it asks only once.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from flask import g

from mailweir.agent.bulk import request_matching
from mailweir.agent.request import ACTS, UNLOCK
from mailweir.agent.request import request as request_act
from mailweir.agent.unlock import ask
from mailweir.config import Config
from mailweir.errors import InputError, MailweirError
from mailweir.records import ids, search
from mailweir.records.models import Address, Command, User
from mailweir.records.words import PENDING, CommandState
from mailweir.webui import access

NAMED = ACTS | {"unlock": UNLOCK}
KEY = re.compile(r"[0-9a-f]{32}")
MAX_ITEMS = 500  # in one go
MOST_UNLOCKED = 20  # messages that are scanned with one password
MOST = 20_000  # messages of one act on all that match
PENDING_WORDS = frozenset(status.word for status in PENDING)
SHORT_WAIT = 0.05  # seconds between two looks at whether the agent is done


@dataclass(frozen=True)
class Item:
    """One thing chosen: a message, or one recipient of it."""

    message_id: int
    address: str | None

    @property
    def value(self) -> str:
        """As it stands in a form field: the Mail In ID, a space and the address."""
        return ids.to_text(self.message_id) + (f" {self.address}" if self.address is not None else "")

    @classmethod
    def parse(cls, value: str) -> Item:
        """The inverse of value. Raises InputError."""
        identifier, space, address = value.partition(" ")
        return cls(ids.from_text(identifier), address if space else None)


@dataclass(frozen=True)
class Result:
    """One request as page and API tell of it."""

    action: str
    message_id: int
    address: str
    word: str
    open: bool
    bad: bool
    result: str

    @property
    def name(self) -> str:
        """The action's name on the pages."""
        return NAMED[self.action].name if self.action in NAMED else self.action

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "action": self.action,
            "mail_in_id": ids.to_text(self.message_id),
            "recipient": self.address or None,
            "state": self.word,
            "result": self.result,
        }


def new_key() -> str:
    """A key for one form."""
    return secrets.token_hex(16)


def carry_out(
    action: str, items: Sequence[Item], reason: str, key: str, *, user: User, ip: str
) -> list[tuple[Item, MailweirError]]:
    """Ask the agent for each item; returns those that cannot be asked for, and why, instead of stopping."""

    def ask_for(target: Item, key: str) -> None:
        request_act(
            action=action,
            message_id=target.message_id,
            address=target.address,
            user=user.name,
            ip=ip,
            reason=reason,
            key=key,
            clock=time.time,
        )

    return _each(items, key, user, ask_for)


def unlock(
    items: Sequence[Item], password: str, key: str, config: Config, *, user: User, ip: str
) -> list[tuple[Item, MailweirError]]:
    """The same for a password that is tried on each item. Raises InputError when these are too many."""
    if len(items) > MOST_UNLOCKED:
        raise InputError("a password is tried on at most %(most)s messages at once", most=MOST_UNLOCKED)

    def ask_for(target: Item, key: str) -> None:
        ask(
            config,
            message_id=target.message_id,
            address=target.address,
            password=password,
            user=user.name,
            ip=ip,
            key=key,
            clock=time.time,
        )

    return _each(items, key, user, ask_for)


def _each(
    items: Sequence[Item], key: str, user: User, ask_for: Callable[[Item, str], None]
) -> list[tuple[Item, MailweirError]]:
    refused: list[tuple[Item, MailweirError]] = []
    number = 0
    for item in items:
        try:
            for target in targets(item, access.domains(user)):
                ask_for(target, f"{key}.{number}")
                number += 1
        except MailweirError as error:
            refused.append((item, error))
    return refused


def carry_out_matching(
    action: str, wanted: search.Filter, reason: str, key: str, *, user: User, ip: str
) -> list[tuple[int, str]]:
    """Ask the agent for all pending mail that matches; returns the messages refused, and why.

    Only for users without limits: whole messages are asked for, whosever their other recipients are.
    """
    asked = request_matching(
        wanted, action=action, user=user.name, ip=ip, reason=reason, key=key, clock=time.time, most=MOST
    )
    return [(one.message_id, one.refused) for one in asked if one.refused]


def targets(item: Item, limits: tuple[str, ...]) -> list[Item]:
    """What a user may really act on: for one limited to domains, the pending recipients in these.

    Raises InputError, as for a message that does not exist, when there is nothing of it to be seen.
    """
    if not limits:
        return [item]
    page = search.mail_in(search.Filter(id=item.message_id, domains=limits), limit=1)
    seen = [row.address for message in page for row in message.recipients if row.status in PENDING_WORDS]
    wanted = [address for address in seen if item.address in (None, address)]
    if not wanted:
        raise InputError("there is nothing of it to act on")
    return [Item(item.message_id, address) for address in wanted]


def wait(key: str, seconds: float) -> None:
    """Give the agent a moment, so that the next page most often shows the result already."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and any(one.open for one in results(key)):
        time.sleep(SHORT_WAIT)


def results(key: str) -> list[Result]:
    """What became of all requests with that key; a user limited to domains sees only his own."""
    if not KEY.fullmatch(key):
        return []
    mine = Command.select().where(Command.key >= f"{key}.", Command.key < f"{key}/").order_by(Command.id)
    if access.domains(g.user):
        mine = mine.where(Command.by_user == g.user.name)
    found = list(mine)
    numbers = [command.address_id for command in found if command.address_id is not None]
    addresses = {}
    if numbers:
        addresses = {row.id: row.address for row in Address.select().where(Address.id.in_(numbers))}
    return [
        Result(
            action=command.action,
            message_id=command.message_id,
            address=addresses.get(command.address_id or 0, ""),
            word=CommandState(command.state).word,
            open=command.state in (CommandState.REQUESTED, CommandState.RUNNING),
            bad=command.state in (CommandState.FAILED, CommandState.REFUSED),
            result=command.result,
        )
        for command in found
    ]
