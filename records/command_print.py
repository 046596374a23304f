"""Prints rows and messages on a terminal: plain tables, nothing cut off, hostile text made visible."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mailweir.plain import visible
from mailweir.policies.trace import Trace
from mailweir.records import ids
from mailweir.records.encryption import explain
from mailweir.records.search import MessageView, SessionView
from mailweir.records.views import rfc3339

_UNBOUND = 100_000  # columns of what is not a terminal: a pipe gets whole lines
_COLOURS = {"stalled": "red", "failed": "red", "bounced": "red", "deferred": "yellow", "delivered": "green"}
_TITLES = {"mail_in_id": "Mail In ID", "client_ip": "Client IP", "client_name": "Client", "helo": "HELO"}
_TOLD_BY = {"log": "the log alone: no filter saw it", "notice": "Mailweir itself, which sent this notice"}
_RIGHT = ("recipients", "size", "attempts", "delay")
_TIMES = ("time", "oldest", "newest")
_TIMES_TO_COME = ("next_attempt", "returned")
_KEPT_WHOLE = (
    *_TIMES_TO_COME,
    "time",
    "direction",
    "status",
    "size",
    "attempts",
    "delay",
    "queue_id",
    "mail_in_id",
    "dsn",
)


def console() -> Console:
    """Standard output; as wide as the terminal, or without bound where there is none."""
    here = Console(highlight=False, markup=False, emoji=False)
    if not here.is_terminal:
        here = Console(highlight=False, markup=False, emoji=False, width=_UNBOUND)
    return here


def table(rows: Iterable[dict[str, Any]], columns: tuple[str, ...], size: int) -> None:
    """Print the rows, `size` of them in one table at a time, so that memory stays bounded."""
    here = console()
    rows = iter(rows)
    while part := list(itertools.islice(rows, size)):
        shown = Table(box=None, pad_edge=False)
        for name in columns:
            title = _TITLES.get(name) or name.replace("_", " ").capitalize()
            shown.add_column(
                title.replace(" id", " ID"),
                justify="right" if name in _RIGHT else "left",
                no_wrap=name in _KEPT_WHOLE,
                overflow="fold",
            )
        for row in part:
            shown.add_row(*(_cell(row, name) for name in columns))
        here.print(shown)


def _cell(row: dict[str, Any], name: str) -> Text:
    if name == "relay":
        host, ip = row["relay_host"], row["relay_ip"]
        return Text(visible(f"{host} [{ip}]" if ip and ip != host else host))
    value = row[name]
    if name == "findings":
        return Text(visible(", ".join(f"{found['kind']} {found['part']}" for found in value)))
    if name in _TIMES:
        return Text(local(value))
    if name in _TIMES_TO_COME:
        return Text(local(value) if value else "unknown")
    if name == "sender" and value == "":
        return Text("<>")
    text = f"{value:.1f}" if isinstance(value, float) else str("" if value is None else value)
    return Text(visible(text), style=_COLOURS.get(text, "") if name == "status" else "")


def local(moment: str) -> str:
    """An RFC 3339 moment in this machine's zone, to the second."""
    return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def message(found: MessageView) -> None:
    """Print all that is known of a message."""
    here = console()
    for name, value in _facts(found):
        if value:
            here.print(Text(f"{name + ':':<13}") + Text(visible(value)), soft_wrap=True)
    for title, lines in _parts(found):
        if lines:
            here.print(Text(f"\n{title}", style="bold"))
            for line in lines:
                here.print(Text("  " + visible(line)), soft_wrap=True)


def session(found: SessionView) -> None:
    """Print a conversation, and what it is known from."""
    here = console()
    facts = [
        ("Session", "reconstructed from the log" if found.reconstructed else "recorded"),
        ("Time", _when(found.time)),
        ("Node", found.node),
    ]
    for row in found.deliveries:
        server = f"{row.relay_host} [{row.relay_ip}]" if row.relay_ip else row.relay_host
        facts += [("Attempt", f"{row.status}: {row.recipient} by {server or 'no server'}")]
    for tls in dict.fromkeys(row.tls for row in found.deliveries):
        facts += [("TLS", encrypted.sentence)] if (encrypted := explain(tls)) else []
    for name, value in facts:
        here.print(Text(f"{name + ':':<13}") + Text(visible(value)), soft_wrap=True)
    here.print()
    for line in found.lines:
        here.print(Text(visible(line)), soft_wrap=True)


def _facts(found: MessageView) -> Iterator[tuple[str, str]]:
    yield "Mail In ID", found.mail_in_id
    yield "Time", _when(found.time)
    yield "Node", found.node
    yield "From", found.sender or "<> (the null sender)"
    yield "Subject", found.subject
    yield "Message-ID", found.message_id
    yield "Size", f"{found.size} bytes"
    yield "Client", f"{found.client_name} [{found.client_ip}]" if found.client_ip else ""
    yield "HELO", found.helo
    yield "TLS", encrypted.sentence if (encrypted := explain(found.tls)) else ""
    yield "Logged in as", found.auth_user
    yield "Verdict", found.verdict
    yield "Our reply", found.reply
    yield "Told by", _TOLD_BY.get(found.source, "")


def _parts(found: MessageView) -> Iterator[tuple[str, list[str]]]:
    recipients = []
    for row in found.recipients:
        recipients.append(f"{row.address}: {row.status} ({row.direction}, {row.attempts} attempts)")
        recipients += [f"    why: {Trace.from_dict(row.trace).sentence()}"] if row.trace else []
        recipients += [f"    {row.reason}"] if row.reason else []
        recipients += [f"    {row.reply}"] if row.reply else []
    yield "Recipients", recipients
    yield "Findings", [f"{row.kind} in {row.part} {row.detail}".rstrip() for row in found.findings]
    yield (
        "Attachments",
        [f"{row.part} {row.name} ({row.type}, {row.size} bytes)" for row in found.attachments],
    )
    yield (
        "Queue files",
        [
            f"{row.queue_id} on {row.node}: {row.kind}, {row.queue}, since {_when(row.time)}"
            for row in found.legs
        ],
    )
    yield (
        "Attempts",
        [
            f"{_when(row.time)} {row.recipient}: {row.status} by {row.relay_host or row.service}"
            f"{f' [{row.relay_ip}]' if row.relay_ip else ''}: {row.reply}"
            f"{f' (session {ids.to_text(row.session_id)})' if row.session_id else ''}"
            for row in reversed(found.deliveries)
        ],
    )
    yield (
        "Actions",
        [
            f"{_when(row.requested)} {row.action} by {row.by_user}: {row.state} {row.result}"
            for row in found.commands
        ],
    )


def _when(seconds: float) -> str:
    return local(rfc3339(seconds) or "")
