"""The four lists: Mail In, Pending, Delivery, Quarantine."""

from __future__ import annotations

from mailweir.records import search_load
from mailweir.records.filters import Filter
from mailweir.records.sql import Sql, rows
from mailweir.records.views import DeliveryRow, MessageRow, Page, PendingRow


def mail_in(
    wanted: Filter, *, below: int | None = None, limit: int = 50, budget: float | None = None
) -> Page[MessageRow]:
    """Messages that entered, newest first."""
    keys = _keys("message", wanted, below, limit)
    return Page(tuple(search_load.messages(keys[:limit])), keys[limit - 1] if len(keys) > limit else None)


def quarantine(
    wanted: Filter, *, below: int | None = None, limit: int = 50, budget: float | None = None
) -> Page[MessageRow]:
    """Messages with stalled recipients, with their findings; only the stalled recipients are `matched`."""
    keys = [
        row[0]
        for row in rows(Sql("SELECT DISTINCT message_id FROM recipient WHERE status = 2 AND status <> 5"))
    ]
    return Page(tuple(search_load.messages(keys, matched=Sql("r.status = 2"), findings=True)))


def pending(
    wanted: Filter, *, below: int | None = None, limit: int = 50, budget: float | None = None
) -> Page[PendingRow]:
    """Recipients that are filtering, stalled, queued or deferred; a page ends with a whole message."""
    keys = [row[0] for row in rows(Sql("SELECT DISTINCT message_id FROM recipient WHERE status < 5"))]
    return Page(tuple(search_load.pending(keys, Sql("r.status < 5"))))


def delivery(
    wanted: Filter, *, below: int | None = None, limit: int = 50, budget: float | None = None
) -> Page[DeliveryRow]:
    """Attempts to deliver, newest first."""
    return Page(tuple(search_load.deliveries(Sql("d.id < ?", (below or 1 << 62,)))))


def _keys(table: str, wanted: Filter, below: int | None, limit: int) -> list[int]:
    found = rows(
        Sql(f"SELECT id FROM {table} WHERE id < ? ORDER BY id DESC LIMIT ?", (below or 1 << 62, limit + 1))
    )
    return [row[0] for row in found]
