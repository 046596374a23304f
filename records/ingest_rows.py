"""Writes a batch of changes: plain rows by executemany or COPY, never one ORM object a row.

It runs inside the transaction that its caller has opened, so that rows and cursor commit together.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from itertools import chain
from typing import Any

from peewee import Database, SqliteDatabase

from mailweir.postlog import changes as columns
from mailweir.postlog.changes import Changes, Row
from mailweir.records.ingest_addresses import Addresses

COPY_FROM = 50  # rows; fewer are not worth a COPY
TOGETHER = 32  # rows of one statement in SQLite, which opens the table and its indexes anew for each


class Writer:
    """Writes rows to the connection of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.is_sqlite = isinstance(database, SqliteDatabase)
        self.addresses = Addresses(self.execute, self.execute_many, lock=not self.is_sqlite)

    def execute(self, sql: str, values: Sequence[Any] = ()) -> Any:
        """Run one statement with ? for parameters; returns the cursor."""
        cursor = self._database.connection().cursor()
        cursor.execute(self._dialect(sql), values)
        return cursor

    def execute_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run one statement for each row."""
        if rows:
            self._database.connection().cursor().executemany(self._dialect(sql), rows)

    def _dialect(self, sql: str) -> str:
        return sql if self.is_sqlite else sql.replace("?", "%s")

    def apply(self, changes: Changes) -> None:
        """Write everything, in an order in which nothing refers to what is not there yet."""
        for message in changes.replaced:
            self._delete_message(message)
        for old, new in changes.rekeyed:
            self._rekey(old, new)
        for message, leg in changes.adopted:
            self.execute("UPDATE delivery SET message_id = ? WHERE leg_id = ?", (message, leg))
        for message in changes.refound:
            self.execute("DELETE FROM finding WHERE message_id = ?", (message,))
        numbers = self.addresses.numbers(_addresses(changes))
        self._insert("message", columns.MESSAGE, [
            (*row[:3], numbers[row[3]], *row[4:]) for row in changes.messages
        ])  # fmt: skip
        self._insert("recipient", columns.RECIPIENT, [
            (row[0], numbers[row[1]], *row[2:]) for row in changes.recipients
        ])  # fmt: skip
        self._insert("leg", columns.LEG, changes.legs)
        for attempt in changes.deliveries:
            attempt[3] = numbers[attempt[3]]
            if attempt[4] is not None:
                attempt[4] = numbers[attempt[4]]
        self._insert("delivery", columns.DELIVERY, changes.deliveries)
        self._insert("session", columns.SESSION, changes.sessions)
        self._insert("reject", columns.REJECT, [
            (*row[:8], *(None if text is None else numbers[text] for text in row[8:10]), *row[10:])
            for row in changes.rejects
        ])  # fmt: skip
        self._insert("finding", columns.FINDING, changes.findings)
        self._insert("attachment", columns.ATTACHMENT, changes.attachments)
        self._update("message", columns.MESSAGE_SET, ("id",), [
            (numbers[row[0]], *row[1:]) for row in changes.changed_messages
        ])  # fmt: skip
        self._update("recipient", columns.RECIPIENT_SET, ("message_id", "address_id"), [
            (*row[:-1], numbers[row[-1]]) for row in changes.changed_recipients
        ])  # fmt: skip
        self._update("leg", columns.LEG_SET, ("id",), changes.changed_legs)
        self._update("session", columns.SESSION_SET, ("id",), changes.changed_sessions)

    def _insert(self, table: str, names: tuple[str, ...], rows: Sequence[Sequence[Any]]) -> None:
        if self.is_sqlite:
            whole = len(rows) - len(rows) % TOGETHER
            self.execute_many(_insert_sql(table, names, TOGETHER), [
                tuple(chain.from_iterable(rows[at : at + TOGETHER])) for at in range(0, whole, TOGETHER)
            ])  # fmt: skip
            rows = rows[whole:]
        if self.is_sqlite or len(rows) < COPY_FROM:
            self.execute_many(_insert_sql(table, names), rows)
            return
        cursor = self._database.connection().cursor()
        with cursor.copy(f"COPY {table} ({', '.join(names)}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)

    def _update(self, table: str, names: tuple[str, ...], keys: tuple[str, ...], rows: Sequence[Row]) -> None:
        self.execute_many(_update_sql(table, names, keys), rows)

    def _rekey(self, old: int, new: int) -> None:
        """What was taken for a message of its own belongs to another; its findings are the later look's."""
        if self.execute("SELECT 1 FROM finding WHERE message_id = ? LIMIT 1", (old,)).fetchone():
            self.execute("DELETE FROM finding WHERE message_id = ?", (new,))
            self.execute("UPDATE finding SET message_id = ? WHERE message_id = ?", (new, old))
        for table in ("leg", "delivery", "command", "audit", "notice"):
            self.execute(f"UPDATE {table} SET message_id = ? WHERE message_id = ?", (new, old))
        self._delete_message(old)

    def _delete_message(self, message: int) -> None:
        for table in ("recipient", "finding", "attachment"):
            self.execute(f"DELETE FROM {table} WHERE message_id = ?", (message,))
        self.execute("DELETE FROM message WHERE id = ?", (message,))


def _addresses(changes: Changes) -> set[str]:
    """Every address that the rows name."""
    found = {row[3] for row in changes.messages}
    found.update([row[1] for row in changes.recipients])
    for attempt in changes.deliveries:
        found.add(attempt[3])
        if attempt[4] is not None:
            found.add(attempt[4])
    for row in changes.rejects:
        found.update(text for text in row[8:10] if text is not None)
    found.update(row[0] for row in changes.changed_messages)
    found.update(row[-1] for row in changes.changed_recipients)
    return found


@functools.cache
def _insert_sql(table: str, names: tuple[str, ...], rows: int = 1) -> str:
    row = f"({', '.join('?' * len(names))})"
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES {', '.join([row] * rows)}"


@functools.cache
def _update_sql(table: str, names: tuple[str, ...], keys: tuple[str, ...]) -> str:
    values = ", ".join(f"{name} = ?" for name in names)
    where = " AND ".join(f"{key} = ?" for key in keys)
    return f"UPDATE {table} SET {values} WHERE {where}"
