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
from mailweir.records.words import PENDING, Status, word_of

MOST = 10_000  # recipients that are grouped
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


@dataclass(frozen=True)
class Groups:
    """The largest groups, how many there are, of how many recipients, and whether these are all there are."""

    rows: tuple[GroupRow, ...]
    total: int
    recipients: int
    complete: bool


def grouped(by: str, domains: Domains, shown: int) -> Groups:
    """The largest groups, so many at the most, of what a user limited to these domains may see."""
    columns = "r.message_id, r.address_id, r.status, r.dsn, r.reply, r.verdict, r.attempts"
    newest = of(f"SELECT {columns}", domains) + Sql(
        f"AND r.status <> 5 AND r.status IN ({numbers(PENDING)}) ORDER BY r.message_id DESC LIMIT {MOST}"
    )
    joined = "JOIN address a ON a.id = p.address_id" if by == "destination" else ""
    found = rows(
        Sql(f"SELECT {_KEYS[by]}, count(*), min(p.message_id), max(p.message_id), max(p.attempts) FROM (")
        + newest
        + Sql(f") p {joined} GROUP BY {', '.join(str(n) for n in range(1, 6))}")
    )
    groups: dict[tuple[str, str], list[int]] = {}  # count, lowest and highest ID, attempts
    for domain, number, dsn, reply, verdict, count, low, high, attempts in found:
        key = (domain[::-1], "")
        if by != "destination":
            status = word_of(Status, number)
            said = reasons.of_recipient(number, dsn, reply, verdict) if by == "reason" else ""
            key = (said or status, status)
        before = groups.get(key)
        if before is None:
            groups[key] = [count, low, high, attempts]
            continue
        before[0] += count  # the same reason in other words; of thousands, so no calls of min and max
        if low < before[1]:
            before[1] = low
        if high > before[2]:
            before[2] = high
        if attempts > before[3]:
            before[3] = attempts
    largest = sorted(groups.items(), key=lambda item: (-item[1][0], item[0]))[:shown]
    recipients = sum(row[5] for row in found)
    return Groups(
        tuple(
            GroupRow(name, status, count, _time(low), _time(high), attempts)
            for (name, status), (count, low, high, attempts) in largest
        ),
        len(groups),
        recipients,
        recipients < MOST,
    )


def _time(identifier: int) -> float:
    return ids.milliseconds_of(identifier) / 1000
