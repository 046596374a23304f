"""The audit trail: who did what, each row bound by a hash to the one before.

Whoever changes, removes or inserts a row afterwards breaks every hash from there on, which `broken` finds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from peewee import Database

from mailweir.records.migrations.dialect import is_sqlite
from mailweir.records.models import Audit
from mailweir.records.text import storable

LOCK = 0x6D77_6175  # PostgreSQL's advisory lock under which rows are appended
_BATCH = 1_000  # rows read at once
_AT_ONCE = 100  # rows written by one statement


@dataclass(frozen=True)
class Entry:
    """What one row of the trail says beside its time."""

    who: str
    ip: str
    what: str
    message_id: int | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


def append(
    database: Database,
    *,
    clock: Callable[[], float],
    who: str,
    ip: str,
    what: str,
    message_id: int | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Add one row; belongs into the transaction of the act that it tells of, or makes its own."""
    append_all(database, [Entry(who, ip, what, message_id, detail or {})], clock)


def one_at_a_time(database: Database) -> None:
    """Make others who write to the trail wait until the transaction that is open here has ended."""
    if not is_sqlite(database):  # SQLite has one writer at a time anyway
        database.execute_sql("SELECT pg_advisory_xact_lock(%s)", (LOCK,))


def append_all(database: Database, entries: Iterable[Entry], clock: Callable[[], float]) -> None:
    """Add several rows at once, in their order."""
    with database.atomic():
        one_at_a_time(database)
        last = Audit.select(Audit.hash).order_by(Audit.id.desc()).first()
        previous = last.hash if last else ""
        rows = []
        for entry in entries:
            row = {
                "time": clock(),
                "who": storable(entry.who),
                "ip": storable(entry.ip),
                "what": storable(entry.what),
                "message_id": entry.message_id,
                "detail": storable(json.dumps(dict(entry.detail), ensure_ascii=False, sort_keys=True)),
            }
            previous = _hash(previous, row)
            rows.append({**row, "hash": previous})
        for start in range(0, len(rows), _AT_ONCE):
            Audit.insert_many(rows[start : start + _AT_ONCE]).execute()


def broken(database: Database) -> int | None:
    """The ID of the first row that does not fit the one before it; None when the whole trail is sound."""
    previous, last_id = "", 0
    with database.connection_context() if database.is_closed() else database.atomic():
        while rows := list(Audit.select().where(Audit.id > last_id).order_by(Audit.id).limit(_BATCH)):
            for row in rows:
                values = {
                    name: getattr(row, name) for name in ("time", "who", "ip", "what", "message_id", "detail")
                }
                if row.hash != _hash(previous, values):
                    return int(row.id)
                previous, last_id = row.hash, row.id
    return None


def _hash(previous: str, row: Mapping[str, Any]) -> str:
    text = json.dumps([previous, *(row[name] for name in sorted(row))], ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
