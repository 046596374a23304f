"""Keeps when Postfix tries each deferred queue file again, as the queue directory says.

It stands beside the tracker: log and listing say nothing of it, and nothing else depends on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from peewee import Database

from mailweir.records.models import Leg, Recipient
from mailweir.records.words import PENDING, Queue, Status


def store(database: Database, node: int, schedule: Mapping[str, float], now: float) -> int:
    """Enter the schedule (next attempt by queue ID) as seen at that time; how many rows that changed.

    A row is written when its time is another, or when an attempt was recorded since it was last seen; what
    the schedule does not name loses its time.
    """
    tried: Any = (
        Recipient.select(Recipient.leg_id, Recipient.changed)
        .where(Recipient.status != Status.DELIVERED, Recipient.status.in_(PENDING))
        .order_by(Recipient.changed)
        .tuples()
    )
    last: dict[int, float] = dict(tried)
    rows: Any = (
        Leg.select(Leg.id, Leg.queue_id, Leg.next_attempt, Leg.next_seen)
        .where(Leg.node_id == node, Leg.queue != Queue.GONE)
        .tuples()
    )
    changed: list[tuple[float | None, float | None, int]] = []
    for number, queue_id, before, seen in rows:
        due = schedule.get(queue_id)
        if due != before or (due is not None and last.get(number, 0.0) > (seen or 0.0)):
            changed.append((due, None if due is None else now, number))
    with database.atomic():
        for due, seen, number in changed:
            Leg.update(next_attempt=due, next_seen=seen).where(Leg.id == number).execute()
    return len(changed)
