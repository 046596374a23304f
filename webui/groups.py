"""Why are so many messages waiting?: pending mail grouped by destination, reason or status.

Pending mail has an index of its own, so even many thousand rows are grouped quickly; beyond MOST the newest
are taken and the page says so.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from mailweir.records import ids, reasons, search
from mailweir.records.models import Address, Recipient
from mailweir.records.words import PENDING, Status
from mailweir.webui import table_file
from mailweir.webui.figures import RARE

MOST = 20_000  # recipients that are grouped
SHOWN = 100  # groups
BY = ("destination", "reason", "status")


class Waiting(NamedTuple):
    """What counts of one pending recipient; time in seconds since 1970."""

    time: float
    domain: str
    status: str
    reason: str
    attempts: int


@dataclass
class Bundle:
    """What waits for one and the same thing; search leads to it."""

    name: str
    search: dict[str, str]
    recipients: int = 0
    oldest: float = 0.0
    newest: float = 0.0
    attempts: int = 0


def waiting(limits: tuple[str, ...], *, explained: bool) -> Iterator[Waiting]:
    """The newest MOST pending recipients that a user limited to these domains may see (none: no limit).

    Explaining each reply is most of the work, so reasons are left out unless they are wanted.
    """
    if limits:
        wanted = search.with_domains(search.Filter(), limits)
        for row in table_file.every(search.pending, wanted):
            yield Waiting(row.time, row.recipient.rpartition("@")[2], row.status, row.reason, row.attempts)
        return
    explain = functools.cache(reasons.of_recipient)  # thousands wait for the same few reasons
    rows: Any = (
        Recipient.select(
            Recipient.message_id,
            Address.domain_reversed,
            Recipient.status,
            Recipient.dsn,
            Recipient.reply,
            Recipient.verdict,
            Recipient.attempts,
        )
        .join(Address, on=(Address.id == Recipient.address_id))
        .where(RARE, Recipient.status.in_(PENDING))
        .order_by(Recipient.message_id.desc())
        .limit(MOST)
    )
    for identifier, domain, number, dsn, reply, verdict, attempts in rows.tuples():
        status = Status(number)
        reason = explain(status, dsn, reply, verdict) if explained else ""
        yield Waiting(ids.milliseconds_of(identifier) / 1000, domain[::-1], status.word, reason, attempts)


def bundle(rows: Iterable[Waiting], by: str) -> list[Bundle]:
    """The largest groups first."""
    found: dict[str, Bundle] = {}
    for row in rows:
        if by == "destination":
            name, where = row.domain, {"to": f"@{row.domain}"}
        else:
            name, where = row.reason if by == "reason" else "", {"status": row.status}
        one = found.setdefault(name or row.status, Bundle(name or row.status, where, 0, row.time, row.time))
        one.recipients += 1
        one.oldest, one.newest = min(one.oldest, row.time), max(one.newest, row.time)
        one.attempts = max(one.attempts, row.attempts)
    return sorted(found.values(), key=lambda one: (-one.recipients, one.name))
