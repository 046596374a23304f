"""One message with all that is known of it, one session, and finding a message by any of its names."""

from __future__ import annotations

from mailweir.errors import InputError
from mailweir.postlog.reconstruct import conversation
from mailweir.records import ids, search_load
from mailweir.records.filters import Filter
from mailweir.records.search_lists import mail_in
from mailweir.records.sql import Sql, one, rows
from mailweir.records.text import storable
from mailweir.records.views import (
    AttachmentRow,
    CommandRow,
    LegRow,
    MessageView,
    SessionView,
    from_json,
    time_of,
)
from mailweir.records.words import CommandState, LegKind, Outcome, Queue

_MORE = "SELECT node_id, helo, tls, authres, reply FROM message WHERE id = ?"
_LEGS = """
SELECT l.id, coalesce(n.name, ''), l.node_id, l.queue_id, l.arrival, l.parent_id, l.kind, l.queue, l.size,
       l.held, l.removed
FROM leg l LEFT JOIN node n ON n.id = l.node_id WHERE l.message_id = ? ORDER BY l.arrival, l.id"""
_COMMANDS = """
SELECT c.id, c.action, a.address, c.queue_id, c.reason, c.by_user, c.by_ip, c.requested, c.finished, c.state,
       c.result
FROM command c LEFT JOIN address a ON a.id = c.address_id WHERE c.message_id = ? ORDER BY c.id"""
_SESSION = """
SELECT s.id, coalesce(n.name, ''), s.node_id, s.outcome, s.lines
FROM session s LEFT JOIN node n ON n.id = s.node_id WHERE s.id = ?"""


def message(identifier: int, *, domains: tuple[str, ...] | None = None) -> MessageView | None:
    """All that is known of a message; None when there is none, or none that these domains may see."""
    row = search_load.message_row(identifier)
    if row is None:
        return None
    seen = mail_in(Filter(id=identifier, domains=domains), limit=1).rows
    if not seen:
        return None
    node_id, helo, tls, authres, reply = one(Sql(_MORE, (identifier,))) or (0, "", "", "", "")
    attempts = search_load.deliveries(Sql("d.message_id = ?", (identifier,)))
    visible = {recipient.address for recipient in seen[0].recipients}
    if domains is not None:
        attempts = [attempt for attempt in attempts if attempt.recipient in visible]
    return MessageView(
        **search_load.message_fields(row),
        recipients=seen[0].recipients,
        findings=search_load.findings_of([identifier]).get(identifier, ()),
        node_id=node_id,
        helo=helo,
        tls=tls,
        authres=from_json(authres),
        reply=reply,
        attachments=tuple(
            AttachmentRow(*found)
            for found in rows(
                Sql(
                    "SELECT part, name, type, size, sha256 FROM attachment WHERE message_id = ? ORDER BY id",
                    (identifier,),
                )
            )
        ),
        legs=legs(identifier),
        deliveries=tuple(attempts),
        commands=tuple(
            command
            for command in commands(identifier)
            if domains is None or not command.recipient or command.recipient in visible
        ),
    )


def went_elsewhere(view: MessageView) -> bool:
    """Whether it has recipients besides those of the view, which a user limited to domains may not see."""
    found = one(Sql("SELECT count(*) FROM recipient WHERE message_id = ?", (view.id,)))
    return found is not None and found[0] > len(view.recipients)


def legs(identifier: int) -> tuple[LegRow, ...]:
    """The message's queue files, oldest first."""
    return tuple(
        LegRow(
            id=row[0],
            node=row[1] or str(row[2]),
            queue_id=row[3],
            arrival=row[4],
            time=row[4] / 1_000_000,
            parent_id=row[5],
            kind=LegKind(row[6]).word,
            queue=Queue(row[7]).word,
            size=row[8],
            held=row[9],
            removed=row[10],
        )
        for row in rows(Sql(_LEGS, (identifier,)))
    )


def commands(identifier: int) -> tuple[CommandRow, ...]:
    """What people asked for on the message, oldest first."""
    return tuple(
        CommandRow(
            id=row[0],
            action=row[1],
            recipient=row[2] or "",
            queue_id=row[3],
            reason=row[4],
            by_user=row[5],
            by_ip=row[6],
            requested=row[7],
            finished=row[8],
            state=CommandState(row[9]).word,
            result=row[10],
        )
        for row in rows(Sql(_COMMANDS, (identifier,)))
    )


def session(identifier: int) -> SessionView | None:
    """One SMTP conversation with the deliveries that shared it; None when there is none.

    Where none was recorded, the ID is an attempt's, and what the log says of it is put together.
    """
    row = one(Sql(_SESSION, (identifier,)))
    if row is None:
        return _reconstructed(identifier)
    return SessionView(
        id=row[0],
        node=row[1] or str(row[2]),
        time=time_of(row[0]),
        outcome=Outcome(row[3]).word,
        reconstructed=False,
        lines=tuple(row[4].splitlines()),
        deliveries=tuple(
            search_load.deliveries(Sql("d.session_id = ? AND d.session_id IS NOT NULL", (identifier,)))
        ),
    )


def _reconstructed(identifier: int) -> SessionView | None:
    attempt = next(iter(search_load.deliveries(Sql("d.id = ?", (identifier,)))), None)
    if attempt is None or not attempt.session_reconstructed:
        return None
    told = conversation(
        attempt.sender, attempt.final or attempt.recipient, attempt.status == Outcome.SENT.word, attempt.reply
    )
    return SessionView(
        id=identifier,
        node=attempt.node,
        time=attempt.time,
        outcome=attempt.status,
        reconstructed=True,
        lines=told,
        deliveries=(attempt,),
    )


def find(text: str) -> int | None:
    """The ID of the message that somebody names by Mail In ID, queue ID or Message-ID; the newest of several.

    None when no message has that name.
    """
    name = storable(text.strip())
    try:
        if one(Sql("SELECT id FROM message WHERE id = ?", (ids.from_text(name),))):
            return ids.from_text(name)
    except InputError:
        pass
    by_queue = one(Sql("SELECT max(message_id) FROM leg WHERE queue_id = ?", (name,)))
    if by_queue and by_queue[0]:
        return int(by_queue[0])
    bare = name.strip("<>")
    by_header = one(
        Sql(
            "SELECT max(id) FROM message WHERE message_id <> '' AND message_id IN (?, ?)", (bare, f"<{bare}>")
        )
    )
    return int(by_header[0]) if by_header and by_header[0] else None
