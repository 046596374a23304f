"""Reads what `postcat -e` prints: who a queue file is from, for whom, and when it came to be.

The queue-helper compares this with what the user saw before it touches anything, so the text is taken
literally: the first value of each kind counts, and what cannot be read is an error, never a guess.
"""

from __future__ import annotations

import calendar
import re
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

_HEADING = re.compile(r"^\*\*\* ENVELOPE RECORDS (?:.*/)?([a-z]{2,})/(?:./)*([0-9A-Za-z]+) \*\*\*$")


KEPT = (
    "log_ident", "log_client_name", "log_client_address", "log_client_port", "log_helo_name",
    "log_protocol_name", "envelope_id", "ret_flags", "encoding", "message_size",
)  # fmt: skip
"""What a copy of the message needs beside its addresses: who sent it first, RFC 3461, 8BITMIME, SMTPUTF8."""


def decode(raw: bytes) -> str:
    """Text as the records have it: UTF-8, other bytes as \\xNN."""
    return raw.decode("utf-8", "backslashreplace")


@dataclass(frozen=True)
class Addressee:
    """One recipient still to be served, in Postfix's internal form (without quotes).

    original is the address as the client gave it, before canonical(5) and virtual(5); orcpt and notify are
    what RFC 3461 calls so, notify as Postfix's bits (1 never, 2 success, 4 failure, 8 delay).
    """

    address: str
    original: str = ""
    orcpt: str = ""
    notify: int = 0

    def is_called(self, address: str) -> bool:
        """Whether that address means this recipient."""
        return same_address(address, self.address) or same_address(address, self.original)


@dataclass(frozen=True)
class Envelope:
    """One queue file; times in whole seconds since 1970, as precise as postcat tells them."""

    queue_id: str
    queue: str  # the queue it stands in: "hold", "deferred", "active" …
    created: int  # when this queue file was made
    arrived: int  # when the message came in; earlier than created after a requeue
    sender: str
    recipients: list[Addressee] = field(default_factory=list)
    settled: list[str] = field(default_factory=list)  # served or bounced
    attributes: dict[str, str] = field(default_factory=dict)  # those of KEPT that the file has

    @property
    def addresses(self) -> list[str]:
        """Who is still to be served."""
        return [one.address for one in self.recipients]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Envelope:
        """The inverse of as_dict."""
        return cls(**{**values, "recipients": [Addressee(**one) for one in values["recipients"]]})


def read(output: bytes) -> list[Envelope]:
    """The envelopes in the output of `TZ=UTC postcat -e FILE…`, in its order.

    Raises ValueError when one lacks its sender or time.
    """
    return [_envelope(section) for section in _sections(decode(output).split("\n"))]


def _sections(lines: list[str]) -> Iterator[list[str]]:
    section: list[str] = []
    for line in lines:
        if _HEADING.match(line):
            if section:
                yield section
            section = [line]
        elif section:
            section.append(line)
    if section:
        yield section


def _envelope(section: list[str]) -> Envelope:
    heading = _HEADING.match(section[0])
    assert heading
    first: dict[str, str] = {}
    coming: dict[str, str] = {}  # stands before the recipient that it belongs to
    recipients: list[Addressee] = []
    settled: list[str] = []
    for line in section[1:]:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "named_attribute":
            name, _, value = value.partition("=")
        if name == "recipient":
            notify = coming.get("notify_flags", "")
            recipients.append(
                Addressee(
                    value,
                    coming.get("original_recipient", ""),
                    coming.get("dsn_orig_rcpt", ""),
                    int(notify) if notify.isdecimal() else 0,
                )
            )
            coming = {}
        elif name == "done_recipient":
            settled.append(value)
            coming = {}
        elif name in ("original_recipient", "dsn_orig_rcpt", "notify_flags"):
            coming[name] = value
        else:
            first.setdefault(name, value)
    if "sender" not in first or "message_arrival_time" not in first:
        raise ValueError(f"queue file {heading[2]} has no sender or no time of arrival yet")
    arrived = _seconds(first["message_arrival_time"])
    created = _seconds(first["create_time"]) if "create_time" in first else arrived
    kept = {name: first[name] for name in KEPT if name in first}
    return Envelope(heading[2], heading[1], created, arrived, first["sender"], recipients, settled, kept)


def _seconds(text: str) -> int:
    """Seconds since 1970 of asctime(3) text in UTC."""
    return calendar.timegm(time.strptime(text.strip(), "%a %b %d %H:%M:%S %Y"))


def difference(envelope: Envelope, arrival_us: int, slack: float, sender: str) -> str:
    """In words, how the queue file differs from what the user saw; "" when it is the same.

    slack is how many seconds the file may be older than the noted arrival: short queue IDs carry no date, so
    the records then have the time of the end of the message instead.
    """
    noted = arrival_us / 1e6
    if not noted - slack - 2 <= envelope.created <= noted + 2:
        return "the queue ID now belongs to a message that arrived at another time"
    if not same_address(envelope.sender, sender):
        return "the queue ID now belongs to a message of another sender"
    return ""


def same_address(one: str, other: str) -> bool:
    """Whether both mean the same mailbox: quoted or not, whatever the domain's case (RFC 5321, 4.1.2)."""
    return _unquoted(one) == _unquoted(other)


def _unquoted(address: str) -> tuple[str, str]:
    """The local part without quotes, as in queue files, and the domain in lower case."""
    local, at, domain = address.rpartition("@")
    if not at:
        local, domain = address, ""
    if len(local) > 1 and local[0] == local[-1] == '"':
        local = re.sub(r"\\(.)", r"\1", local[1:-1])
    return local, domain.lower()
