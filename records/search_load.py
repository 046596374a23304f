"""Fetches everything that a list shows for the keys that a search has found.

One statement a table and batch of keys, whatever the number of rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from mailweir.postlog.reconstruct import can_tell
from mailweir.records import ids, reasons
from mailweir.records.search_ends import Ends, next_attempt
from mailweir.records.sql import Sql, batches, numbers, rows
from mailweir.records.views import (
    DeliveryRow,
    FindingRow,
    MessageRow,
    PendingRow,
    RecipientRow,
    from_json,
    time_of,
)
from mailweir.records.words import Direction, Outcome, Queue, Source, Status, word_of

ALL = Sql("1 = 1")
_NODE = "coalesce(n.name, '')"
MESSAGE = f"""
m.id, {_NODE}, m.node_id, m.source, s.address, m.subject, m.size, m.message_id, m.client_ip, m.client_name,
m.auth_user, m.verdict"""  # as message_fields takes them
MESSAGE_FROM = """
FROM message m LEFT JOIN node n ON n.id = m.node_id LEFT JOIN address s ON s.id = m.sender_id"""
_MESSAGE = f"SELECT {MESSAGE} {MESSAGE_FROM} WHERE m.id IN ("
RECIPIENT = """
r.message_id, a.address, r.address_id, r.direction, r.status, r.verdict, r.trace, r.attempts, r.dsn, r.reply,
r.changed, r.leg_id, l.queue_id"""  # as recipient_fields takes them, with whether it matches at the end
_RECIPIENT_FROM = """
FROM recipient r JOIN message m ON m.id = r.message_id LEFT JOIN address a ON a.id = r.address_id
LEFT JOIN leg l ON l.id = r.leg_id WHERE r.message_id IN ("""
_PENDING = f"""
SELECT m.id, {_NODE}, m.node_id, l.queue_id, s.address, a.address, r.address_id, r.direction, r.status,
       m.subject, m.size, r.attempts, r.dsn, r.reply, r.changed, l.queue, l.held,
       l.id, l.kind, l.arrival, l.next_attempt, l.next_seen, r.verdict
FROM recipient r JOIN message m ON m.id = r.message_id LEFT JOIN node n ON n.id = m.node_id
LEFT JOIN address s ON s.id = m.sender_id LEFT JOIN address a ON a.id = r.address_id
LEFT JOIN leg l ON l.id = r.leg_id WHERE """
_DELIVERY = f"""
SELECT d.id, d.message_id, {_NODE}, l.node_id, l.queue_id, coalesce(l.sender, s.address), a.address,
       f.address, r.direction, d.status, d.dsn, d.service, d.relay_host, d.relay_ip, d.relay_port, d.reply,
       d.delay, d.delays, m.subject, c.id, c.outcome, d.tls
FROM delivery d LEFT JOIN leg l ON l.id = d.leg_id LEFT JOIN node n ON n.id = l.node_id
LEFT JOIN message m ON m.id = d.message_id LEFT JOIN address s ON s.id = m.sender_id
LEFT JOIN address a ON a.id = d.address_id LEFT JOIN address f ON f.id = d.final_id
LEFT JOIN recipient r ON r.message_id = d.message_id AND r.address_id = d.address_id
LEFT JOIN session c ON c.id = d.session_id WHERE """


def messages(
    keys: list[int], *, matched: Sql = ALL, visible: Sql = ALL, findings: bool = False
) -> list[MessageRow]:
    """The messages with their recipients, newest first.

    matched and visible are conditions on `r` (recipient) and `m` (message): the first marks recipients, the
    second leaves the others out.
    """
    result = []
    for part in batches(keys):
        recipients = recipients_of(part, matched, visible)
        seen = findings_of(part) if findings else {}
        for row in rows(Sql(f"{_MESSAGE}{numbers(part)}) ORDER BY m.id DESC")):
            key = row[0]
            own = message_fields(row)
            result.append(MessageRow(**own, recipients=recipients[key], findings=seen.get(key, ())))
    return result


def message_fields(row: Sequence[Any]) -> dict[str, Any]:
    """MessageRow's own columns by name."""
    return {
        "id": row[0],
        "mail_in_id": ids.to_text(row[0]),
        "node": row[1] or str(row[2]),
        "time": time_of(row[0]),
        "source": word_of(Source, row[3]),
        "sender": row[4] or "",
        "subject": row[5],
        "size": row[6],
        "message_id": row[7],
        "client_ip": row[8],
        "client_name": row[9],
        "auth_user": row[10],
        "verdict": row[11],
    }


def message_row(key: int) -> tuple[Any, ...] | None:
    """One message's columns as message_fields takes them."""
    return next(iter(rows(Sql(f"{_MESSAGE}{int(key)})"))), None)


def recipients_of(
    keys: list[int], matched: Sql = ALL, visible: Sql = ALL
) -> defaultdict[int, tuple[RecipientRow, ...]]:
    """The recipients of these messages, in the order of their addresses."""
    statement = (
        Sql(f"SELECT {RECIPIENT}, ")
        + Sql(f"CASE WHEN {matched.text} THEN 1 ELSE 0 END", matched.values)
        + Sql(f"{_RECIPIENT_FROM}{numbers(keys)}) AND ({visible.text})", visible.values)
    )
    result: defaultdict[int, tuple[RecipientRow, ...]] = defaultdict(tuple)
    for row in sorted(rows(statement), key=lambda row: (row[0], row[1] or "", row[2])):
        result[row[0]] += (RecipientRow(**recipient_fields(row)),)
    return result


def recipient_fields(row: Sequence[Any]) -> dict[str, Any]:
    """RecipientRow's values by name."""
    return {
        "address": row[1] or "",
        "address_id": row[2],
        "direction": word_of(Direction, row[3]),
        "status": word_of(Status, row[4]),
        "verdict": row[5],
        "trace": from_json(row[6]),
        "attempts": row[7],
        "dsn": row[8],
        "reply": row[9],
        "reason": reasons.of_recipient(row[4], row[8], row[9], row[5]),
        "changed": row[10],
        "leg_id": row[11],
        "queue_id": row[12] or "",
        "matched": bool(row[13]),
    }


def findings_of(keys: list[int]) -> dict[int, tuple[FindingRow, ...]]:
    """What was seen in the content of these messages."""
    result: dict[int, tuple[FindingRow, ...]] = {}
    statement = (
        f"SELECT message_id, kind, part, name, detail FROM finding WHERE message_id IN ({numbers(keys)})"
    )
    for key, *values in rows(Sql(f"{statement} ORDER BY id")):
        result[key] = (*result.get(key, ()), FindingRow(*values))
    return result


def pending(keys: list[int], matched: Sql, visible: Sql = ALL) -> list[PendingRow]:
    """The recipients of these messages that match, newest message first."""
    conditions = (
        Sql(f"r.message_id IN ({numbers(part)})") + Sql(f"AND ({matched.text})", matched.values)
        + Sql(f"AND ({visible.text})", visible.values)
        for part in batches(keys)
    )  # fmt: skip
    return [PendingRow(**values) for values in pending_fields(conditions)]


def pending_fields(conditions: Iterable[Sql]) -> Iterator[dict[str, Any]]:
    """PendingRow's values by name, of the recipients that each condition on `r` and `m` selects."""
    found = [row for condition in conditions for row in rows(Sql(_PENDING) + condition)]
    found.sort(key=lambda row: (-row[0], row[5] or "", row[6]))
    ends = Ends()
    for row in found:
        returned, lifetime = ends.of(row)
        yield {
            "id": row[0],
            "mail_in_id": ids.to_text(row[0]),
            "node": row[1] or str(row[2]),
            "queue_id": row[3] or "",
            "time": time_of(row[0]),
            "sender": row[4] or "",
            "recipient": row[5] or "",
            "address_id": row[6],
            "direction": word_of(Direction, row[7]),
            "status": word_of(Status, row[8]),
            "subject": row[9],
            "size": row[10],
            "attempts": row[11],
            "dsn": row[12],
            "reply": row[13],
            "reason": reasons.of_recipient(row[8], row[12], row[13], row[22]),
            "changed": row[14],
            "queue": "" if row[15] is None else word_of(Queue, row[15]),
            "held": row[16],
            "next_attempt": next_attempt(row),
            "returned": returned,
            "lifetime": lifetime,
        }


def deliveries_of(keys: list[int]) -> list[DeliveryRow]:
    """The attempts with these IDs, newest first."""
    return [row for part in batches(keys) for row in deliveries(Sql(f"d.id IN ({numbers(part)})"))]


def deliveries(where: Sql) -> list[DeliveryRow]:
    """The attempts that a condition on `d` selects, newest first."""
    return [DeliveryRow(**values) for values in delivery_fields(where)]


def delivery_fields(
    where: Sql, read: Callable[[Sql], Iterable[Sequence[Any]]] = rows
) -> Iterator[dict[str, Any]]:
    """DeliveryRow's values by name, of the attempts that a condition on `d` selects, newest first."""
    for row in read(Sql(_DELIVERY) + where + Sql("ORDER BY d.id DESC")):
        told = row[19] is None and can_tell(row[11])
        yield {
            "id": row[0],
            "message_id": row[1],
            "mail_in_id": "" if row[1] is None else ids.to_text(row[1]),
            "node": row[2] or str("" if row[3] is None else row[3]),
            "queue_id": row[4] or "",
            "time": time_of(row[0]),
            "sender": row[5] or "",
            "recipient": row[6] or "",
            "final": row[7] or "",
            "direction": "" if row[8] is None else word_of(Direction, row[8]),
            "status": word_of(Outcome, row[9]),
            "dsn": row[10],
            "service": row[11],
            "relay_host": row[12],
            "relay_ip": row[13],
            "relay_port": row[14],
            "reply": row[15],
            "reason": reasons.of_delivery(row[9], row[10], row[15]),
            "delay": row[16],
            "delays": row[17],
            "subject": row[18] or "",
            "session_id": row[0] if told else row[19],
            "session_outcome": word_of(Outcome, row[20] or row[9]) if row[20] or told else "",
            "session_reconstructed": told,
            "tls": row[21],
        }
