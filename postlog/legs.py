"""The state that tracking keeps: messages, their recipients, and the queue files that carry them.

Once written, all of it can be loaded again from the database, so what stands in memory is only a bounded
cache, apart from queue files that are still being received.
"""

from __future__ import annotations

from typing import Any

from mailweir.postlog.changes import UNKNOWN_ADDRESS, Row
from mailweir.records.words import Direction, LegKind, Queue, Source, Status

_LOG, _FIRST, _INCOMING = Source.LOG.value, LegKind.FIRST.value, Queue.INCOMING.value
MOST_KEYS = 20_000
LONGEST_KEY = 1_000  # bytes of what is indexed; PostgreSQL takes no more than 2,700
PENDING = frozenset({Status.FILTERING, Status.STALLED, Status.QUEUED, Status.DEFERRED})
# With several final addresses the recipient shows the state that needs most attention.
_WORST = (
    Status.STALLED, Status.QUEUED, Status.DEFERRED, Status.FAILED, Status.RETURNED, Status.DELETED,
    Status.UNKNOWN, Status.DELIVERED,
)  # fmt: skip


def clipped(text: str, most: int = LONGEST_KEY) -> str:
    """Text that is short enough for a database's index, in bytes of UTF-8."""
    if len(text) * 4 <= most:
        return text
    return text.encode("utf-8", "backslashreplace")[:most].decode("utf-8", "ignore")


class _Keys(dict[str, str]):
    """Addresses as they are told apart, remembered, as the same ones come again and again."""

    def __missing__(self, address: str) -> str:
        if len(self) >= MOST_KEYS:
            self.clear()
        local, at, domain = address.rpartition("@")
        key = self[address] = clipped(f"{local}@{domain.lower()}" if at else address)
        return key


KEYS = _Keys()


def key_of(address: str) -> str:
    """What makes two spellings the same recipient: Postfix may change a domain's case on the way."""
    return KEYS[address]


class Recipient:
    """One envelope recipient of a message."""

    # Class attributes as defaults: most messages never need most of them, and making one must be quick.
    verdict: str = ""
    trace: str = ""
    dsn: str = ""
    reply: str = ""
    attempts = 0
    finals: dict[str, int] | None = None  # status by final address, when an alias led to several
    stored = False
    dirty = True

    def __init__(self, address: str, status: int, direction: int, leg_id: int | None, changed: float) -> None:
        self.address = address
        self.status = status
        self.direction = direction
        self.leg_id = leg_id
        self.changed = changed

    def row(self, message_id: int) -> Row:
        """All columns, in the order of changes.RECIPIENT."""
        return (
            message_id, self.address, self.direction.real, self.status.real, self.verdict, self.trace,
            self.leg_id, self.attempts, self.dsn, self.reply, self.changed,
        )  # fmt: skip

    def changed_row(self, message_id: int) -> Row:
        """The columns of changes.RECIPIENT_SET, then message and address."""
        return (
            self.direction.real, self.status.real, self.leg_id, self.attempts, self.dsn, self.reply,
            self.changed, message_id, self.address,
        )  # fmt: skip

    def settle(self, status: int, time: float, dsn: str = "", reply: str = "") -> None:
        """Its state from now on."""
        self.status, self.changed, self.dirty = status, time, True
        if dsn or reply:
            self.dsn, self.reply = dsn, reply

    def tried(self, final: str, status: int) -> int:
        """Note what became of one final address; returns the state of the recipient as a whole."""
        if self.finals is None:
            self.finals = {}
        self.finals[final] = status
        states = set(self.finals.values())
        return next((state for state in _WORST if state in states), status)


class Message:
    """One message; several queue files may carry it."""

    sender: str | None = None
    size = 0
    subject: str = ""
    message_id: str = ""
    client_ip: str = ""
    client_name: str = ""
    helo: str = ""
    tls: str = ""
    auth_user: str = ""
    authres: str = ""
    verdict: str = ""
    reply: str = ""
    shared = False  # more than one queue file has carried it
    stored = False
    dirty = True

    def __init__(self, identifier: int) -> None:
        self.id = identifier
        self.source: int = _LOG
        self.recipients: dict[str, Recipient] = {}

    def take_over(self, other: Message) -> None:
        """Carry over what another record of the same message knows of recipients."""
        for key, recipient in other.recipients.items():
            recipient.stored = False
            known = self.recipients.setdefault(key, recipient)
            if known is not recipient:
                known.attempts, known.dirty = known.attempts + recipient.attempts, True

    def row(self, node: int) -> Row:
        """All columns, in the order of changes.MESSAGE."""
        sender = UNKNOWN_ADDRESS if self.sender is None else self.sender
        return (
            self.id, node, self.source.real, sender, self.size, self.subject, self.message_id,
            self.client_ip, self.client_name, self.helo, self.tls, self.auth_user, self.authres,
            self.verdict, self.reply,
        )  # fmt: skip

    def changed_row(self) -> Row:
        """The columns of changes.MESSAGE_SET, then the ID."""
        sender = UNKNOWN_ADDRESS if self.sender is None else self.sender
        return (sender, self.size, self.message_id, self.reply, self.id)

    @classmethod
    def from_values(cls, found: dict[str, Any]) -> Message:
        """A message as Memory.leg gives it."""
        values = found["message"]
        message = cls(values["id"])
        message.source, message.size = values["source"], values["size"]
        message.sender = None if values["sender"] == UNKNOWN_ADDRESS else values["sender"]
        message.message_id, message.reply = values["message_id"], values["reply"]
        message.stored, message.dirty = True, False
        for row in found["recipients"]:
            recipient = Recipient(
                row["address"], row["status"], row["direction"], row["leg_id"], row["changed"]
            )
            recipient.attempts, recipient.dsn, recipient.reply = row["attempts"], row["dsn"], row["reply"]
            recipient.stored, recipient.dirty = True, False
            message.recipients[recipient.address] = recipient
        for address, final, status in found["finals"]:
            if address in message.recipients:
                message.recipients[address].tried(final, status)
        return message


class Leg:
    """One queue file. accepted: Postfix has taken the responsibility; before that nothing is recorded."""

    parent_id: int | None = None
    size = 0
    held: float | None = None
    removed: float | None = None
    missed = 0
    sender: str | None = None  # where it is not the message's: of bounces, notices and probes
    seen = 0.0  # time of the first line about it
    pid = ""  # of the smtpd that receives it
    accepted = False
    probe = False  # an address verification: there is no message
    stored = False
    dirty = False

    def __init__(self, identifier: int, queue_id: str, arrival: int, message: Message) -> None:
        self.id = identifier
        self.queue_id = queue_id
        self.arrival = arrival  # microseconds since 1970
        self.message = message
        self.kind: int = _FIRST
        self.queue: int = _INCOMING
        self.deliveries: list[list[Any]] = []

    @property
    def carries(self) -> bool:
        """Whether its recipients are the message's; not so for bounces and notices about it."""
        return self.kind not in (LegKind.BOUNCE, LegKind.NOTICE)

    def own_recipients(self) -> list[Recipient]:
        """The recipients that this queue file carries now."""
        return [one for one in self.message.recipients.values() if one.leg_id == self.id]

    def pending(self) -> list[Recipient]:
        """Those of them that are not settled."""
        return [one for one in self.own_recipients() if one.status in PENDING] if self.carries else []

    def row(self, node: int) -> Row:
        """All columns, in the order of changes.LEG."""
        return (
            self.id, node, self.queue_id, self.arrival, None if self.probe else self.message.id,
            self.parent_id, self.kind.real, self.queue.real, self.size, self.held, self.removed,
            self.missed, self.sender,
        )  # fmt: skip

    def changed_row(self) -> Row:
        """The columns of changes.LEG_SET, then the ID."""
        return (
            None if self.probe else self.message.id, self.parent_id, self.kind.real, self.queue.real,
            self.size, self.held, self.removed, self.missed, self.sender, self.id,
        )  # fmt: skip

    @classmethod
    def from_values(cls, values: dict[str, Any]) -> Leg:
        """A leg as Memory.leg gives it, with its message still to be filled in."""
        leg = cls(
            values["id"], values["queue_id"], values["arrival"], Message(values["message_id"] or values["id"])
        )
        for name in ("parent_id", "kind", "queue", "size", "held", "removed", "missed", "sender"):
            setattr(leg, name, values[name])
        leg.probe = values["message_id"] is None
        leg.accepted = leg.stored = True
        return leg

    def receiving_values(self) -> list[Any]:
        """What is known of a file that is still being received, for a restart."""
        message, known = self.message, self.message.recipients.values()
        return [
            self.id, self.queue_id, self.arrival, self.seen, self.pid, self.queue, self.held,
            message.client_name, message.client_ip, message.auth_user, message.message_id, message.sender,
            message.helo,
            message.tls,
            [[one.address, one.status, one.direction, one.changed, one.reply] for one in known],
        ]  # fmt: skip

    @classmethod
    def from_receiving(cls, values: list[Any]) -> Leg:
        """The inverse of receiving_values."""
        leg = cls(values[0], values[1], values[2], Message(values[0]))
        message = leg.message
        leg.seen, leg.pid, leg.queue, leg.held = values[3:7]
        message.client_name, message.client_ip, message.auth_user, message.message_id = values[7:11]
        message.sender, message.helo, message.tls = values[11:14]
        for address, status, direction, changed, reply in values[14]:
            recipient = Recipient(address, status, direction, leg.id, changed)
            recipient.reply = reply
            message.recipients[address] = recipient
        return leg


def direction_of(service: str) -> int:
    """The direction as far as a delivery agent tells: all but smtp deliver our own mail."""
    name, _, daemon = service.rpartition("/")
    return Direction.OUTBOUND if daemon == "smtp" and "relay" not in name else Direction.INBOUND
