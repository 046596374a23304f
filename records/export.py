"""Whole lists, newest first, for `--all`: range by range of IDs, with one statement for each range.

Nothing is sought and no snapshot is held: memory stays the same whatever the size, and neither database has
to keep old rows for a reader that takes its time. PostgreSQL gets wide ranges, because it may read whole
tables for each, and hands their rows over bit by bit. Rows come as dictionaries, ready for JSON.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any

from mailweir.records import search_load, search_rejected
from mailweir.records.filters import Filter
from mailweir.records.search_lists import range_of
from mailweir.records.sql import Sql, numbers, one, sqlite, stream
from mailweir.records.views import DeliveryRow, MessageRow, PendingRow, RecipientRow, RejectRow, per_recipient
from mailweir.records.words import PENDING

RANGE = 1_000  # rows that are read at a time
WIDER = 100  # times that many with PostgreSQL

_MAIL_IN = f"""
SELECT {search_load.MESSAGE}, {search_load.RECIPIENT}, 1 {search_load.MESSAGE_FROM}
JOIN recipient r ON r.message_id = m.id LEFT JOIN address a ON a.id = r.address_id
LEFT JOIN leg l ON l.id = r.leg_id WHERE m.id >= ? AND m.id < ? ORDER BY m.id DESC"""
_COLUMNS = 12  # of them the message's
_IS_PENDING = f"r.status <> 5 AND r.status IN ({numbers(PENDING)})"  # the first for the partial index's sake


def is_whole(wanted: Filter) -> bool:
    """Whether a Filter asks for everything, or everything of a time: what this module can list."""
    return dataclasses.replace(wanted, before=None, after=None) == Filter()


def mail_in(wanted: Filter) -> Iterator[dict[str, Any]]:
    """Messages, one dictionary for each recipient, as MessageRow.per_recipient gives them."""
    for low, high in _ranges(wanted, "SELECT id FROM message WHERE id < ?"):
        for _, group in itertools.groupby(stream(Sql(_MAIL_IN, (low, high))), key=lambda row: row[0]):
            found = sorted(group, key=lambda row: (row[_COLUMNS + 1] or "", row[_COLUMNS + 2]))
            own = search_load.message_fields(found[0])
            message = MessageRow.printed({**own, "recipients": (), "findings": ()})
            del message["recipients"]
            for row in found:
                recipient = search_load.recipient_fields(row[_COLUMNS:])
                yield per_recipient(message, RecipientRow.printed({**recipient, "leg_id": None}))


def pending(wanted: Filter) -> Iterator[dict[str, Any]]:
    """Recipients that are filtering, stalled, queued or deferred."""
    waiting = "SELECT message_id FROM recipient WHERE status <> 5 AND message_id < ? AND status ="
    for bounds in _ranges(wanted, *(f"{waiting} {status:d}" for status in PENDING)):
        some = Sql(f"{_IS_PENDING} AND r.message_id >= ? AND r.message_id < ?", bounds)
        yield from map(PendingRow.printed, search_load.pending_fields([some]))


def delivery(wanted: Filter) -> Iterator[dict[str, Any]]:
    """Attempts to deliver."""
    for bounds in _ranges(wanted, "SELECT id FROM delivery WHERE id < ?"):
        some = Sql("d.id >= ? AND d.id < ?", bounds)
        yield from map(DeliveryRow.printed, search_load.delivery_fields(some, stream))


def rejected(wanted: Filter) -> Iterator[dict[str, Any]]:
    """Attempts that Postfix refused before there was a message."""
    for bounds in _ranges(wanted, "SELECT id FROM reject WHERE id < ?"):
        some = Sql("r.id >= ? AND r.id < ?", bounds)
        yield from map(RejectRow.printed, search_rejected.fields(some, stream))


def _ranges(wanted: Filter, *selects: str) -> Iterator[tuple[int, int]]:
    """Ranges of IDs, highest first, that hold RANGE rows or few more; each select lists IDs below a value."""
    low, high = range_of(wanted)
    size = RANGE if sqlite() else RANGE * WIDER
    parts = [
        f"SELECT * FROM ({select} ORDER BY 1 DESC LIMIT {size}) p{n}" for n, select in enumerate(selects)
    ]
    last = f"SELECT * FROM ({' UNION ALL '.join(parts)}) ids ORDER BY 1 DESC LIMIT 1 OFFSET {size - 1}"
    while high > low:
        row = one(Sql(last, (high,) * len(selects)))
        bottom = max(low, row[0]) if row else low
        yield bottom, high
        high = bottom
