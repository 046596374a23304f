"""The journal's lines: everything that the records will know of a message that went through the filter.

The keys are a contract with records/ingest.py; docs/milter.md lists them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mailweir.content.findings import Scan
from mailweir.milter.message import Message, Recipient
from mailweir.milter.outcome import Judged, Outcome
from mailweir.postlog.queue_id import arrival_us
from mailweir.records.words import Direction

VERSION = 1


def message_entry(
    identifier: int,
    node: int,
    now: float,
    message: Message,
    scan: Scan,
    outcome: Outcome,
    *,
    authres: Sequence[Mapping[str, str]],
    scan_ms: int,
    most: int,
) -> dict[str, Any]:
    """One message and what was decided. At most so many attachments and findings are listed."""
    client = message.client
    return {
        **_head("message", identifier, node, now, message),
        "client_ip": client.ip,
        "client_name": client.name,
        "helo": client.helo,
        "tls": client.tls,
        "auth_user": message.auth_user,
        "daemon": client.daemon,
        "local": client.local,
        "sender": message.sender,
        "recipients": [_recipient(one) for one in outcome.judged],
        "subject": message.subject,
        "message_id": message.message_id,
        "size": message.spool.size,
        "attachments": [
            {"part": one.part, "name": one.name, "type": one.type, "size": one.size, "sha256": one.sha256}
            for one in scan.attachments[:most]
        ],
        "findings": [finding.as_dict() for finding in scan.findings[:most]],
        "authres": {"results": list(authres)} if authres else {},
        "verdict": outcome.action.value,
        "reply": str(outcome.reply or ""),
        "unavailable": scan.unavailable,
        "scan_ms": scan_ms,
    }


def filtering_entry(
    identifier: int,
    node: int,
    now: float,
    message: Message,
    directions: Sequence[tuple[Recipient, Direction]],
) -> dict[str, Any]:
    """A message that is still being looked into; its message_entry replaces it."""
    return {
        **_head("filtering", identifier, node, now, message),
        "sender": message.sender,
        "recipients": [
            {"address": recipient.address, "direction": direction.word} for recipient, direction in directions
        ],
        "subject": message.subject,
        "size": message.spool.size,
    }


def _head(event: str, identifier: int, node: int, now: float, message: Message) -> dict[str, Any]:
    return {
        "v": VERSION,
        "event": event,
        "id": identifier,
        "node": node,
        "time": now,
        "queue_id": message.queue_id,
        "arrival_us": arrival_us(message.queue_id) or int(now * 1_000_000),
    }


def _recipient(one: Judged) -> dict[str, Any]:
    trace = one.verdict.trace.as_dict()
    if one.action is not one.verdict.action:
        trace["instead_of"] = one.verdict.action.value
    return {
        "address": one.recipient.address,
        "mailer": one.recipient.mailer,
        "direction": one.direction.word,
        "verdict": one.action.value,
        "trace": trace,
        "split": one.split,
    }
