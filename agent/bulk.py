"""An act on everything that a search finds: one request for each message, each with its own result.

Rows are read page by page and asked for page by page, so that the agent begins while the rest is still being
found; the key makes the whole of it idempotent, and counts how far it has come.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import cast

from peewee import fn

from mailweir.agent.request import Wanted, request_all
from mailweir.errors import InputError, MailweirError
from mailweir.records import search
from mailweir.records.models import Command
from mailweir.records.search import Filter, MessageRow
from mailweir.records.words import PENDING, CommandState, Status

PAGE = 100  # messages asked for in one transaction, which keeps the agent waiting
_HELD_ONLY = frozenset({"force", "release"})
_PENDING_WORDS = frozenset(status.word for status in PENDING)


@dataclass(frozen=True)
class Asked:
    """What became of one message when it was asked for: the reason why not, or ""."""

    message_id: int
    address: str | None
    commands: tuple[int, ...] = ()  # Command.id
    refused: str = ""


def request_matching(
    wanted: Filter,
    *,
    action: str,
    user: str,
    ip: str,
    reason: str,
    key: str,
    clock: Callable[[], float],
    most: int = 100_000,
) -> Iterator[Asked]:
    """Ask for an act on all pending mail that matches; yields each as it is asked for.

    Where only some recipients of a message match, it is asked for those alone. At most so many messages.
    Raises InputError for a filter of statuses that the act cannot concern.
    """
    statuses = tuple(wanted.status) or PENDING
    possible = (Status.STALLED,) if action in _HELD_ONLY else PENDING
    chosen = tuple(status for status in statuses if status in possible)
    if not chosen:
        raise InputError(
            "%(action)s concerns only mail that is %(all)s",
            action=action,
            all=", ".join(one.word for one in possible),
        )
    wanted = dataclasses.replace(wanted, status=chosen)
    number, below = 0, None
    while True:
        page = search.mail_in(wanted, below=below, limit=PAGE)
        items = [(row.id, address) for row in page for address in _addresses(row)]
        asked = [Wanted(*item, f"{key}.{place}") for place, item in enumerate(items, start=number)]
        number += len(items)
        answers = request_all(asked, action=action, user=user, ip=ip, reason=reason, clock=clock)
        for one, answer in zip(asked, answers, strict=True):
            if isinstance(answer, MailweirError):
                yield Asked(one.message_id, one.address, refused=str(answer))
            else:
                yield Asked(one.message_id, one.address, tuple(command.id for command in answer))
        below = page.next
        if below is None or number >= most:
            return


def _addresses(row: MessageRow) -> list[str | None]:
    """Whom the act is for: None when all pending recipients of the message match."""
    waiting = [one for one in row.recipients if one.status in _PENDING_WORDS]
    matched: list[str | None] = [one.address for one in waiting if one.matched]
    return [None] if len(matched) == len(waiting) else matched


def progress(key: str) -> Counter[CommandState]:
    """How many commands of that key are in which state."""
    prefix = f"{key}."
    rows = (
        Command.select(Command.state, fn.COUNT(Command.id))
        .where(fn.SUBSTR(Command.key, 1, len(prefix)) == prefix)
        .group_by(Command.state)
        .tuples()
    )
    counts: Counter[CommandState] = Counter()
    for state, count in cast("Iterator[tuple[int, int]]", rows):  # peewee's types know no tuples()
        counts[CommandState(state)] = count
    return counts
