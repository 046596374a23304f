"""Reads what `postcat -e` prints: who a queue file is from, for whom, and when it came to be.

The queue-helper compares this with what the user saw before it touches anything, so the text is taken
literally: the first value of each kind counts, and what cannot be read is an error, never a guess.
"""

from __future__ import annotations

import calendar
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

_HEADING = re.compile(r"^\*\*\* ENVELOPE RECORDS (?:.*/)?([a-z]{2,})/(?:./)*([0-9A-Za-z]+) \*\*\*$")


def decode(raw: bytes) -> str:
    """Text as the records have it: UTF-8, other bytes as \\xNN."""
    return raw.decode("utf-8", "backslashreplace")


@dataclass(frozen=True)
class Envelope:
    """One queue file; times in whole seconds since 1970, as precise as postcat tells them."""

    queue_id: str
    queue: str  # the queue it stands in: "hold", "deferred", "active" …
    created: int  # when this queue file was made
    arrived: int  # when the message came in; earlier than created after a requeue
    sender: str
    recipients: list[str] = field(default_factory=list)  # still to be served
    settled: list[str] = field(default_factory=list)  # served or bounced

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return dict(self.__dict__)


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
    recipients: list[str] = []
    settled: list[str] = []
    for line in section[1:]:
        name, colon, value = line.partition(": ")
        if not colon and line.endswith(":"):
            name, value = line[:-1], ""
        if name == "recipient":
            recipients.append(value)
        elif name == "done_recipient":
            settled.append(value)
        else:
            first.setdefault(name, value)
    if "sender" not in first or "message_arrival_time" not in first:
        raise ValueError(f"queue file {heading[2]} has no sender or no time of arrival yet")
    arrived = _seconds(first["message_arrival_time"])
    created = _seconds(first["create_time"]) if "create_time" in first else arrived
    return Envelope(heading[2], heading[1], created, arrived, first["sender"], recipients, settled)


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
    if _folded(envelope.sender) != _folded(sender):
        return "the queue ID now belongs to a message of another sender"
    return ""


def _folded(address: str) -> tuple[str, str]:
    """Local part as it is, domain in lower case."""
    local, at, domain = address.rpartition("@")
    return (local, domain.lower()) if at else (domain, "")
