"""Why are so many messages waiting?: pending mail in groups by destination, reason or status.

Pending mail has an index of its own and the database does the counting, so even many thousand recipients are
grouped quickly; beyond MOST the newest are taken, and the answer says so.
"""

from __future__ import annotations

from dataclasses import dataclass

from mailweir.records import ids, reasons
from mailweir.records.figures import Domains, of
from mailweir.records.sql import Sql, numbers, rows
from mailweir.records.views import View
from mailweir.records.words import PENDING, Status

MOST = 20_000  # recipients that are grouped
BY = ("destination", "reason", "status")
_KEYS = {
    "destination": "a.domain_reversed, 0, '', '', ''",
    "reason": "'', p.status, p.dsn, p.reply, p.verdict",
    "status": "'', p.status, '', '', ''",
}


@dataclass(frozen=True)
class GroupRow(View):
    """What waits for one and the same thing."""

    name: str  # the domain, the reason in words, or the status
    status: str  # "" for destinations
    recipients: int
    oldest: float
    newest: float
    attempts: int  # the most of any of them

    _moments = ("oldest", "newest")


def grouped(by: str, domains: Domains) -> tuple[list[GroupRow], int, bool]:
    """The groups, largest first, of how many recipients, and whether these were all that may be seen."""
    columns = "r.message_id, r.address_id, r.status, r.dsn, r.reply, r.verdict, r.attempts"
    newest = of(f"SELECT {columns}", domains) + Sql(
        f"AND r.status <> 5 AND r.status IN ({numbers(PENDING)}) ORDER BY r.message_id DESC LIMIT {MOST}"
    )
    joined = "JOIN address a ON a.id = p.address_id" if by == "destination" else ""
    keys = _KEYS[by]
    found = rows(
        Sql(f"SELECT {keys}, count(*), min(p.message_id), max(p.message_id), max(p.attempts) FROM (")
        + newest
        + Sql(f") p {joined} GROUP BY {', '.join(str(n) for n in range(1, 6))}")
    )
    groups: dict[tuple[str, str], GroupRow] = {}
    for domain, number, dsn, reply, verdict, *counted in found:
        status = "" if by == "destination" else Status(number).word
        name = domain[::-1] if by == "destination" else status
        if by == "reason":
            name = reasons.of_recipient(number, dsn, reply, verdict) or status
        group = _row(name, status, *counted)
        before = groups.get((name, status))
        groups[name, status] = _both(before, group) if before else group
    count = sum(group.recipients for group in groups.values())
    ordered = sorted(groups.values(), key=lambda group: (-group.recipients, group.name, group.status))
    return ordered, count, count < MOST


def _row(name: str, status: str, count: int, low: int, high: int, attempts: int) -> GroupRow:
    oldest, newest = (ids.milliseconds_of(number) / 1000 for number in (low, high))
    return GroupRow(name, status, count, oldest, newest, attempts)


def _both(one_: GroupRow, other: GroupRow) -> GroupRow:
    return GroupRow(
        one_.name,
        one_.status,
        one_.recipients + other.recipients,
        min(one_.oldest, other.oldest),
        max(one_.newest, other.newest),
        max(one_.attempts, other.attempts),
    )
