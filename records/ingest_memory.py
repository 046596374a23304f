"""What the database already knows, for a tracker that meets a queue ID it does not have in memory."""

from __future__ import annotations

from typing import Any

from mailweir.postlog.track import FORWARDED, status_after
from mailweir.records.ids import AGENT_SLOT, SEQUENCE_BITS, SLOT_BITS, first_id, milliseconds_of
from mailweir.records.ingest_rows import Writer
from mailweir.records.words import Source

_LEG = ("id", "queue_id", "arrival", "message_id", "parent_id", "kind", "queue", "size", "held", "removed",
        "missed", "sender")  # fmt: skip
_MESSAGE = ("id", "source", "sender", "size", "message_id", "reply")
_RECIPIENT = ("address", "direction", "status", "leg_id", "attempts", "dsn", "reply", "changed")
_TAIL_BITS = SLOT_BITS + SEQUENCE_BITS + 8


class DatabaseMemory:
    """postlog.book.Memory over one database."""

    def __init__(self, writer: Writer, node: int, slot: int = AGENT_SLOT) -> None:
        """slot: of the IDs that are counted as the tracker's own."""
        self._execute = writer.execute
        self._node = node
        self._slot = slot

    def leg(self, queue_id: str, arrival: int | None = None) -> dict[str, Any] | None:
        """The newest leg with this queue ID, or the one of that arrival; see postlog.book.Memory."""
        which, value = ("", ()) if arrival is None else (" AND arrival = ?", (arrival,))
        row = self._execute(
            f"SELECT {', '.join(_LEG)} FROM leg WHERE queue_id = ? AND node_id = ?{which}"
            " ORDER BY arrival DESC LIMIT 1",
            (queue_id, self._node, *value),
        ).fetchone()
        if row is None:
            return None
        leg = dict(zip(_LEG, row, strict=True))
        found: dict[str, Any] = {"leg": leg, "message": None, "recipients": [], "finals": []}
        if leg["message_id"] is not None:
            self._message(leg["message_id"], found)
        return found

    def arrivals(self, queue_id: str, since: int, until: int) -> list[int]:
        """The arrivals of the legs with this queue ID in that span (microseconds, the end not included)."""
        rows = self._execute(
            "SELECT arrival FROM leg WHERE queue_id = ? AND node_id = ? AND arrival >= ? AND arrival < ?",
            (queue_id, self._node, since, until),
        ).fetchall()
        return [row[0] for row in rows]

    def _message(self, identifier: int, found: dict[str, Any]) -> None:
        row = self._execute(
            "SELECT m.id, m.source, a.address, m.size, m.message_id, m.reply"
            " FROM message m JOIN address a ON a.id = m.sender_id WHERE m.id = ?",
            (identifier,),
        ).fetchone()
        if row is None:
            return
        found["message"] = dict(zip(_MESSAGE, row, strict=True))
        found["message"]["source"] = min(row[1], Source.LOG)  # the log told of our notices too
        rows = self._execute(
            "SELECT a.address, r.direction, r.status, r.leg_id, r.attempts, r.dsn, r.reply, r.changed"
            " FROM recipient r JOIN address a ON a.id = r.address_id WHERE r.message_id = ?"
            " ORDER BY r.changed, a.address",
            (identifier,),
        ).fetchall()
        found["recipients"] = [dict(zip(_RECIPIENT, row, strict=True)) for row in rows]
        attempts = self._execute(
            "SELECT a.address, f.address, d.status, d.service, d.reply FROM delivery d"
            " JOIN address a ON a.id = d.address_id LEFT JOIN address f ON f.id = d.final_id"
            " JOIN leg l ON l.id = d.leg_id WHERE d.message_id = ? AND l.kind NOT IN (4, 7) ORDER BY d.id",
            (identifier,),
        ).fetchall()
        found["finals"] = _finals(attempts)

    def last_id(self, milliseconds: int) -> int:
        """The largest ID of that slot in the second that begins there; 0 for none."""
        low, high = first_id(milliseconds), first_id(milliseconds + 1000)
        tail = self._node << SLOT_BITS | self._slot
        largest = 0
        for table in ("leg", "delivery", "session", "reject"):
            row = self._execute(
                f"SELECT max(id) FROM {table} WHERE id >= ? AND id < ? AND ((id >> ?) & ?) = ?",
                (low, high, SEQUENCE_BITS, (1 << (_TAIL_BITS - SEQUENCE_BITS)) - 1, tail),
            ).fetchone()
            largest = max(largest, row[0] or 0)
        return largest

    def known_until(self) -> int:
        """A moment (microseconds since 1970) after the arrival of every leg there is; 0 for none."""
        row = self._execute("SELECT max(id) FROM leg").fetchone()
        return (milliseconds_of(row[0]) + 2000) * 1000 if row[0] else 0

    def taken_until(self) -> int:
        """The largest ID there is; 0 for none."""
        tables = ("leg", "delivery", "session", "reject")
        rows = [self._execute(f"SELECT max(id) FROM {table}").fetchone() for table in tables]
        return max(int(row[0] or 0) for row in rows)


def _finals(attempts: list[tuple[str, str | None, int, str, str]]) -> list[tuple[str, str, int]]:
    """What became of each final address of the recipients that an alias sent elsewhere."""
    aliased: set[str] = set()
    finals = []
    for address, final, outcome, service, reply in attempts:
        if final is not None:
            aliased.add(address)
        if address in aliased and not reply.startswith(FORWARDED):
            finals.append((address, final or address, status_after(outcome, service, reply)))
    return finals
