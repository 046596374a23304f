"""What a batch of events changes in the records, as rows ready for the database.

The rows are tuples in the order of the columns named here; addresses stand in them as text, as only the
writer knows their numbers. Plain tuples and lists, so that another process can be handed them cheaply. An
attempt's row is a list, as whose message it is of may be known last.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Row = tuple[Any, ...]

UNKNOWN_ADDRESS = "(unknown)"  # where the log never told; no envelope address can look like this

MESSAGE = (
    "id", "node_id", "source", "sender_id", "size", "subject", "message_id", "client_ip", "client_name",
    "helo", "tls", "auth_user", "authres", "verdict", "reply",
)  # fmt: skip
RECIPIENT = (
    "message_id", "address_id", "direction", "status", "verdict", "trace", "leg_id", "attempts", "dsn",
    "reply", "changed",
)  # fmt: skip
LEG = (
    "id", "node_id", "queue_id", "arrival", "message_id", "parent_id", "kind", "queue", "size", "held",
    "removed", "missed", "sender",
)  # fmt: skip
DELIVERY = (
    "id", "message_id", "leg_id", "address_id", "final_id", "status", "dsn", "service", "relay_host",
    "relay_ip", "relay_port", "delay", "delays", "reply", "session_id", "tls",
)  # fmt: skip
SESSION = ("id", "node_id", "source", "reconstructed", "outcome", "lines")
REJECT = (
    "id", "node_id", "service", "queue_id", "stage", "client_ip", "client_name", "helo", "sender_id",
    "recipient_id", "code", "dsn", "reply",
)  # fmt: skip
FINDING = ("message_id", "kind", "part", "name", "detail")
ATTACHMENT = ("message_id", "part", "name", "type", "size", "sha256")

# Updates: the columns set, then those that name the row.
MESSAGE_SET = ("sender_id", "size", "message_id", "reply")
RECIPIENT_SET = ("direction", "status", "leg_id", "attempts", "dsn", "reply", "changed")
LEG_SET = ("message_id", "parent_id", "kind", "queue", "size", "held", "removed", "missed", "sender")
SESSION_SET = ("outcome", "lines")


@dataclass(slots=True)
class Changes:
    """Rows to be inserted and rows to be changed; applied in the order of the fields."""

    replaced: list[int] = field(default_factory=list)  # messages whose journal line came again: all goes
    rekeyed: list[tuple[int, int]] = field(default_factory=list)  # message taken for its own -> what it is of
    adopted: list[tuple[int, int]] = field(default_factory=list)  # (message, leg that had none)
    refound: list[int] = field(default_factory=list)  # messages whose findings are replaced
    messages: list[Row] = field(default_factory=list)
    recipients: list[Row] = field(default_factory=list)
    legs: list[Row] = field(default_factory=list)
    deliveries: list[list[Any]] = field(default_factory=list)
    sessions: list[Row] = field(default_factory=list)
    rejects: list[Row] = field(default_factory=list)
    findings: list[Row] = field(default_factory=list)
    attachments: list[Row] = field(default_factory=list)
    changed_messages: list[Row] = field(default_factory=list)
    changed_recipients: list[Row] = field(default_factory=list)
    changed_legs: list[Row] = field(default_factory=list)
    changed_sessions: list[Row] = field(default_factory=list)

    def found_again(self, message: int, findings: list[Row]) -> None:
        """What a later look at the message found stands in the place of what the first did."""
        if findings:
            self.refound.append(message)
            self.findings = [row for row in self.findings if row[0] != message] + findings

    def hand_over(self, gone: int, kept: int) -> None:
        """What one record was told of findings and files is told of another of the same message."""
        if self.findings or self.attachments:
            told = [(kept, *row[1:]) for row in self.findings if row[0] == gone]
            self.findings = [row for row in self.findings if row[0] != gone]
            self.attachments = [row for row in self.attachments if row[0] != gone]
            self.found_again(kept, told)

    def as_list(self) -> list[list[Any]]:
        """The fields in order, for another process."""
        return [getattr(self, name) for name in self.__slots__]

    @classmethod
    def from_list(cls, values: list[list[Any]]) -> Changes:
        """The inverse of as_list."""
        return cls(*values)

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in self.__slots__)
