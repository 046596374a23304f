"""What searches return: frozen rows with everything a page or a `--json` line shows.

Times are seconds since 1970 in the fields and RFC 3339 (UTC) in `as_dict`; words are those of words.py.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Generic, TypeVar

from mailweir.content.findings import KINDS
from mailweir.records import ids

Row = TypeVar("Row")


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Rows, newest first.

    next: what to pass as `below` for the page after; None at the end. partial: the time budget ended the
    search before the page was full; going on from `next` continues it, even when rows is empty.
    """

    rows: tuple[Row, ...] = ()
    next: int | None = None
    partial: bool = False

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


def rfc3339(seconds: float | None) -> str | None:
    """A moment as RFC 3339 text in UTC with milliseconds; None stays None."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def time_of(identifier: int) -> float:
    """Seconds since 1970 at which the ID was made."""
    return ids.milliseconds_of(identifier) / 1000


class View:
    """Base of all rows."""

    _moments: ClassVar[tuple[str, ...]] = ("time", "changed")
    _identifiers: ClassVar[tuple[str, ...]] = ("id", "leg_id", "parent_id", "session_id")
    _left_out: ClassVar[tuple[str, ...]] = ()

    def as_dict(self) -> dict[str, Any]:
        """The row for JSON: names as they are, times as RFC 3339, 64-bit IDs as people see them."""
        return self.printed(dict(vars(self)))

    @classmethod
    def printed(cls, values: dict[str, Any]) -> dict[str, Any]:
        """The fields' values by name as `as_dict` gives them; changes and returns `values`."""
        for name in cls._left_out:
            del values[name]
        for name, convert in _conversions(cls):  # type: ignore[arg-type]
            values[name] = convert(values[name])
        return values


@functools.cache
def _conversions(kind: type[View]) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
    """The fields that JSON shows in another form, and how to get it."""
    found: list[tuple[str, Callable[[Any], Any]]] = []
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        if field.name in kind._left_out:
            continue
        if field.name in kind._moments:
            found.append((field.name, rfc3339))
        elif field.name in kind._identifiers:
            found.append((field.name, _identifier))
        elif str(field.type).startswith("tuple["):
            found.append((field.name, _list))
    return tuple(found)


def _identifier(value: int | None) -> str | None:
    return None if value is None else ids.to_text(value)


def _list(values: tuple[Any, ...]) -> list[Any]:
    return [value.as_dict() if isinstance(value, View) else value for value in values]


@dataclass(frozen=True)
class RecipientRow(View):
    """One envelope recipient and what became of it."""

    address: str
    address_id: int
    direction: str
    status: str
    verdict: str
    trace: dict[str, Any] | None  # policies' Trace.as_dict()
    attempts: int
    dsn: str
    reply: str  # of the last attempt, or Postfix's reason for waiting
    reason: str  # the same in plain words; "" when there is nothing to explain
    changed: float
    leg_id: int | None
    queue_id: str
    matched: bool  # whether this recipient is one that the filter asked for


@dataclass(frozen=True)
class FindingRow(View):
    """One thing seen in the content."""

    kind: str
    part: str
    name: str
    detail: str

    def as_dict(self) -> dict[str, Any]:
        """With the class that the kind belongs to, as `mailweir scan --json` prints it."""
        known = KINDS.get(self.kind)
        return {"class": known.value if known else ""} | super().as_dict()


@dataclass(frozen=True)
class MessageRow(View):
    """One message, as Mail In and Quarantine list it."""

    id: int
    mail_in_id: str
    node: str
    time: float
    source: str  # "milter", or "log" when it was reconstructed
    sender: str
    subject: str
    size: int
    message_id: str  # the header
    client_ip: str
    client_name: str
    auth_user: str
    verdict: str
    recipients: tuple[RecipientRow, ...]
    findings: tuple[FindingRow, ...] = ()

    _left_out = ("id",)  # mail_in_id says it

    def per_recipient(self) -> Iterator[dict[str, Any]]:
        """One dictionary for each recipient that the filter asked for, as `mail-in --json` prints them."""
        common = self.as_dict()
        del common["recipients"]
        for row in self.recipients:
            if row.matched:
                yield per_recipient(common, row.as_dict())


def per_recipient(message: dict[str, Any], recipient: dict[str, Any]) -> dict[str, Any]:
    """A message and one of its recipients, both as printed, as one line of `mail-in --json`."""
    line = message | recipient
    line["recipient"] = line.pop("address")
    line["message_verdict"] = message["verdict"]
    for internal in ("address_id", "leg_id", "matched"):
        del line[internal]
    return line


@dataclass(frozen=True)
class PendingRow(View):
    """One recipient that Postfix or the filter still holds."""

    id: int
    mail_in_id: str
    node: str
    queue_id: str
    time: float
    sender: str
    recipient: str
    address_id: int
    direction: str
    status: str
    subject: str
    size: int
    attempts: int
    dsn: str
    reply: str
    reason: str
    changed: float
    queue: str  # Postfix's queue; "" before Postfix told
    held: float | None  # since when it is on hold
    next_attempt: (
        float | None
    )  # not before then, says Postfix's queue directory; None: none comes, or unknown
    returned: float | None  # when its lifetime ends and it goes back to its sender; None: unknown
    lifetime: float | None  # in seconds, as its policy says

    _moments = ("time", "changed", "held", "next_attempt", "returned")
    _left_out = ("id", "address_id")


@dataclass(frozen=True)
class DeliveryRow(View):
    """One attempt to deliver one recipient."""

    id: int
    message_id: int | None  # Message.id; None when the log never told which message it was
    mail_in_id: str
    node: str
    queue_id: str
    time: float
    sender: str
    recipient: str
    final: str  # where an alias led to; "" when nowhere else
    direction: str
    status: str  # an Outcome word
    dsn: str
    service: str
    relay_host: str
    relay_ip: str
    relay_port: int | None
    reply: str
    reason: str
    delay: float
    delays: str
    subject: str
    session_id: int | None  # where nothing was recorded, the attempt's own ID: the session is reconstructed
    session_outcome: str
    session_reconstructed: bool
    tls: str  # how the connection was encrypted, such as "Verified TLSv1.3 TLS_AES_256_GCM_SHA384 256"

    _left_out = ("message_id",)  # mail_in_id says it


@dataclass(frozen=True)
class RejectRow(View):
    """One attempt to send us mail that Postfix refused before there was a message."""

    id: int
    time: float
    node: str
    service: str
    queue_id: str  # of the message, where an earlier recipient had been accepted
    stage: str  # CONNECT, HELO, MAIL, RCPT, DATA …
    client_ip: str
    client_name: str
    helo: str
    sender: str | None  # None: the client had not come to that
    recipient: str | None
    code: int
    dsn: str
    reply: str


@dataclass(frozen=True)
class LegRow(View):
    """One Postfix queue file of the message."""

    id: int
    node: str
    queue_id: str
    arrival: int  # microseconds since 1970
    time: float
    parent_id: int | None
    kind: str
    queue: str
    size: int
    held: float | None
    removed: float | None

    _moments = ("time", "held", "removed")


@dataclass(frozen=True)
class AttachmentRow(View):
    """A named or non-text part."""

    part: str
    name: str
    type: str
    size: int
    sha256: str


@dataclass(frozen=True)
class CommandRow(View):
    """An act that somebody asked for on this message."""

    id: int
    action: str
    recipient: str  # "" for all of the leg
    queue_id: str
    reason: str
    by_user: str
    by_ip: str
    requested: float
    finished: float | None
    state: str
    result: str

    _moments = ("requested", "finished")
    _identifiers = ()


@dataclass(frozen=True)
class MessageView(MessageRow):
    """All that is known of one message."""

    node_id: int = 0
    helo: str = ""
    tls: str = ""
    authres: Any = None  # what trusted Authentication-Results said; None: nothing
    reply: str = ""  # what we answered when the message was not accepted
    attachments: tuple[AttachmentRow, ...] = ()
    legs: tuple[LegRow, ...] = ()
    deliveries: tuple[DeliveryRow, ...] = ()
    commands: tuple[CommandRow, ...] = ()


@dataclass(frozen=True)
class SessionView(View):
    """One SMTP conversation with a receiving server."""

    id: int
    node: str
    time: float
    outcome: str
    reconstructed: bool  # put together from the log's line about the attempt; otherwise recorded
    lines: tuple[str, ...]  # "> COMMAND", "< REPLY" and notes in parentheses
    deliveries: tuple[DeliveryRow, ...]


def from_json(text: str) -> Any:
    """A stored JSON value; None for an empty or damaged one."""
    try:
        return json.loads(text) if text else None
    except ValueError:
        return None
