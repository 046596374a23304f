"""Why are so many messages waiting?: pending mail grouped by destination, reason or status.

Pending mail is what an index of its own holds, so even many thousand rows are grouped quickly; beyond MOST
the newest are taken and the page says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mailweir.records import search

MOST = 20_000  # recipients that are grouped
BY = ("destination", "reason", "status")


@dataclass
class Bundle:
    """What waits for one and the same thing; search leads to it."""

    name: str
    search: dict[str, str]
    recipients: int = 0
    oldest: float = 0.0
    newest: float = 0.0
    attempts: int = 0


def bundle(rows: Iterable[search.PendingRow], by: str) -> list[Bundle]:
    """The largest groups first."""
    found: dict[str, Bundle] = {}
    for row in rows:
        domain = row.recipient.rpartition("@")[2]
        if by == "destination":
            name, where = domain, {"to": f"@{domain}"}
        elif by == "status":
            name, where = row.status, {"status": row.status}
        else:
            name, where = row.reason or row.status, {"status": row.status}
        one = found.setdefault(name, Bundle(name, where, oldest=row.time, newest=row.time))
        one.recipients += 1
        one.oldest, one.newest = min(one.oldest, row.time), max(one.newest, row.time)
        one.attempts = max(one.attempts, row.attempts)
    return sorted(found.values(), key=lambda one: (-one.recipients, one.name))
