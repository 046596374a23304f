"""Removes old records in small batches, so that the mail's own records never wait long for the database.

What is still pending is never removed, however old. Removing a message removes all that hangs on it:
recipients, queue files, attempts, findings, file names, requested acts, and what the text index holds of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from peewee import Database

from mailweir.config import Records
from mailweir.records import ids, texts
from mailweir.records.migrations.dialect import is_sqlite
from mailweir.records.sql import numbers
from mailweir.records.words import PENDING, LegKind, Queue

DAY = 86_400
IDLE_DAYS = 2  # an address may be used again by who remembers its number; Ingest forgets at least once a day
_OF_MESSAGE = ("recipient", "leg", "delivery", "finding", "attachment", "command")


@dataclass(frozen=True)
class Purged:
    """What one batch removed; `more` tells that another batch is due."""

    messages: int = 0
    sessions: int = 0
    rejects: int = 0
    addresses: int = 0
    more: bool = False


def purge(database: Database, settings: Records, now: float) -> Purged:
    """Remove one batch of what is older than the settings say, in one transaction.

    `now` is in seconds since 1970. The caller goes on while `more`, and forgets address numbers that it
    remembers at least once a day.
    """
    with database.atomic():
        step = _Batch(database, settings.purge_batch, now)
        messages = sessions = rejects = addresses = 0
        if settings.keep_days:
            before = _first_id(now - settings.keep_days * DAY)
            messages = step.messages(before)
            rejects = step.rejects(before)
            step.strays(before)
            addresses = step.idle_addresses()
        if keep := min(filter(None, (settings.keep_days, settings.keep_sessions_days)), default=0):
            sessions = step.sessions(_first_id(now - keep * DAY))
        full = settings.purge_batch
        more = max(messages, sessions, rejects) >= full
        return Purged(messages, sessions, rejects, addresses, more)


def _first_id(seconds: float) -> int:
    return ids.first_id(max(0, int(seconds * 1000)))


class _Batch:
    """The statements of one batch."""

    def __init__(self, database: Database, size: int, now: float) -> None:
        self._database = database
        self._size = size
        self._now = now
        self._mark = "?" if is_sqlite(database) else "%s"

    def _rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        return list(self._database.execute_sql(sql.replace("?", self._mark), values).fetchall())

    def _run(self, sql: str, *values: Any) -> None:
        self._database.execute_sql(sql.replace("?", self._mark), values)

    def messages(self, before: int) -> int:
        """Remove the oldest settled messages with an ID below; returns how many."""
        pending = numbers(PENDING)
        found = self._rows(
            "SELECT m.id, m.sender_id FROM message m WHERE m.id < ? AND NOT EXISTS (SELECT 1 FROM recipient r"
            f" WHERE r.message_id = m.id AND r.status IN ({pending})) ORDER BY m.id LIMIT ?",
            before,
            self._size,
        )
        if not found:
            return 0
        some = numbers(row[0] for row in found)
        addresses = {row[1] for row in found}
        for column, table in (
            ("address_id", "recipient"),
            ("address_id", "delivery"),
            ("final_id", "delivery"),
        ):
            addresses.update(
                row[0] for row in self._rows(f"SELECT {column} FROM {table} WHERE message_id IN ({some})")
            )
        if is_sqlite(self._database):
            texts.forget_messages(self._database, [row[0] for row in found])
        for table in _OF_MESSAGE:
            self._run(f"DELETE FROM {table} WHERE message_id IN ({some})")
        self._run(f"DELETE FROM message WHERE id IN ({some})")
        self._note_idle(number for number in addresses if number is not None)
        return len(found)

    def rejects(self, before: int) -> int:
        """Remove the oldest refused attempts; returns how many."""
        found = self._oldest("reject", "sender_id, recipient_id", before)
        if is_sqlite(self._database):
            texts.forget_rejects(self._database, [row[0] for row in found])
        self._remove("reject", found)
        return len(found)

    def sessions(self, before: int) -> int:
        """Remove the oldest recorded conversations; returns how many."""
        found = self._oldest("session", "NULL, NULL", before)
        self._remove("session", found)
        return len(found)

    def strays(self, before: int) -> None:
        """Remove old attempts and queue files that no message was ever found for."""
        lost = "message_id IS NULL"
        self._remove("delivery", self._oldest("delivery", "address_id, final_id", before, f" AND {lost}"))
        gone = f" AND {lost} AND queue = {Queue.GONE:d}"
        self._remove("leg", self._oldest("leg", "NULL, NULL", before, gone))

    def _oldest(self, table: str, addresses: str, before: int, more: str = "") -> list[tuple[Any, ...]]:
        """ID and two addresses of the oldest rows of a table whose IDs are times."""
        select = f"SELECT id, {addresses} FROM {table} WHERE id < ?{more} ORDER BY id LIMIT ?"
        return self._rows(select, before, self._size)

    def _remove(self, table: str, found: list[tuple[Any, ...]]) -> None:
        self._run(f"DELETE FROM {table} WHERE id IN ({numbers(row[0] for row in found)})")
        self._note_idle({number for row in found for number in row[1:] if number is not None})

    def _note_idle(self, addresses: Iterable[int]) -> None:
        addresses = list(addresses)
        if not addresses:
            return
        self._run(
            "INSERT INTO address_idle (id, since) SELECT x.id, ? FROM address x"
            f" WHERE x.id IN ({numbers(addresses)}) AND {_UNUSED} ON CONFLICT DO NOTHING",
            self._now,
        )

    def idle_addresses(self) -> int:
        """Remove addresses that have been without use for IDLE_DAYS; returns how many."""
        due = self._rows(
            "SELECT id FROM address_idle WHERE since < ? LIMIT ?", self._now - IDLE_DAYS * DAY, self._size
        )
        if not due:
            return 0
        some = numbers(row[0] for row in due)
        if not is_sqlite(self._database):  # wait for whoever has just looked one of them up
            self._rows(f"SELECT id FROM address WHERE id IN ({some}) ORDER BY id FOR UPDATE")
        tried = self._tried(some)
        unused = [
            row[0]
            for row in self._rows(f"SELECT x.id FROM address x WHERE x.id IN ({some}) AND {_UNUSED}")
            if row[0] not in tried
        ]
        if is_sqlite(self._database):
            texts.forget_addresses(self._database, unused)
        self._run(f"DELETE FROM address WHERE id IN ({numbers(unused)})")
        self._run(f"DELETE FROM address_idle WHERE id IN ({some})")
        return len(unused)

    def _tried(self, some: str) -> set[int]:
        """Those of the addresses that bounces, notices or address verifications were for: no recipient's."""
        about = (
            "SELECT d.address_id FROM leg l CROSS JOIN delivery d"
            " WHERE d.message_id = l.message_id AND d.leg_id = l.id"
            f" AND l.kind IN ({LegKind.BOUNCE:d}, {LegKind.NOTICE:d}) AND d.address_id IN ({some})"
        )
        verified = f"SELECT address_id FROM delivery WHERE message_id IS NULL AND address_id IN ({some})"
        return {row[0] for row in self._rows(f"{about} UNION {verified}")}


_UNUSED = " AND ".join(
    f"NOT EXISTS (SELECT 1 FROM {table} u WHERE {more}u.{column} = x.id)"
    for table, column, more in (
        ("message", "sender_id", ""),
        ("recipient", "address_id", ""),
        ("delivery", "final_id", "u.final_id IS NOT NULL AND "),
        ("reject", "sender_id", "u.sender_id IS NOT NULL AND "),
        ("reject", "recipient_id", "u.recipient_id IS NOT NULL AND "),
    )
)
"""An attempt's own address is a recipient's as well, except for those that _Batch._tried tells."""
