"""Cursors: how far each followed file has been taken into the records, and the tracker's state there.

A file that rotation has finished keeps a row under the hash of its first line (and a number, where several
begin alike), so that importing it later adds nothing.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Collection
from itertools import count
from typing import Any

from mailweir.postlog.lines import Counts
from mailweir.postlog.position import Position
from mailweir.records.ingest_rows import Writer

_UPSERT = (
    "INSERT INTO cursor (name, position, state, counts, changed) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (name) DO UPDATE SET position = excluded.position, state = excluded.state,"
    " counts = excluded.counts, changed = excluded.changed"
)


def _is_same(one: Position, other: Position) -> bool:
    return (one.first, one.device, one.inode) == (other.first, other.device, other.inode)


class Cursors:
    """One node's rows of the cursor table; their names begin with the node's number."""

    def __init__(self, writer: Writer, node: int) -> None:
        self._execute = writer.execute
        self._node = node

    def _name(self, name: str) -> str:
        return f"{self._node}:{name}"

    def position(self, name: str) -> Position | None:
        """Where following left off; None when it never began."""
        row = self._execute("SELECT position FROM cursor WHERE name = ?", (self._name(name),)).fetchone()
        values = json.loads(row[0]) if row else {}
        return Position.from_dict(values) if values else None

    def load(self, name: str) -> tuple[bytes, dict[str, Any]]:
        """The state and counts that were saved with the position; empty ones when there are none."""
        row = self._execute("SELECT state, counts FROM cursor WHERE name = ?", (self._name(name),)).fetchone()
        return (bytes(row[0]), json.loads(row[1])) if row else (b"", {})

    def moved(self, name: str, position: Position, now: float, counts: dict[str, Any]) -> None:
        """A file without a state of its own has been read up to there."""
        values = (self._name(name), json.dumps(position.as_dict()), b"", json.dumps(counts), now)
        self._execute(_UPSERT, values)

    def save(self, name: str, position: Position | None, state: bytes, counts: Counts, now: float) -> None:
        """Position (None: where it was), state and counts."""
        if position is None:
            position = self.position(name)
        values = json.dumps(position.as_dict() if position else {})
        counted = json.dumps(dataclasses.asdict(counts))
        self._execute(_UPSERT, (self._name(name), values, state, counted, now))

    def finished(self, name: str, position: Position, now: float) -> None:
        """When following has gone on to another file: keep a row for the one before."""
        before = self.position(name)
        if before is not None and before.first and not _is_same(before, position):
            identity, _ = self.file(before.first, lambda noted: _is_same(noted, before))
            self.moved(f"file:{identity}", before, now, {})

    def file(
        self, first: str, holds: Callable[[Position], bool], taken: Collection[str] = ()
    ) -> tuple[str, Position | None]:
        """What names a file that begins so in its row, and how far it was read; if never, a free name."""
        found: tuple[str, Position | None] = ("", None)
        names = (f"{first}.{number}" if number else first for number in count())
        for identity in names:
            noted = self.position(f"file:{identity}")
            if noted is None and identity not in taken:
                break
            if noted and holds(noted) and noted.offset > (found[1].offset if found[1] else 0):
                found = identity, noted
        return found if found[1] else (identity, None)

    def open_legs(self) -> list[tuple[str, int]]:
        """Queue ID and arrival (microseconds) of every leg that Postfix has not been seen to remove."""
        return list(
            self._execute(
                "SELECT queue_id, arrival FROM leg WHERE queue <> 5 AND node_id = ?", (self._node,)
            ).fetchall()
        )
