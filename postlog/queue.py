"""What stands in Postfix's queues now, as `postqueue -j` lists it.

The listing is not atomic: a message that moves between queues during it may be listed twice or not at all,
so nobody may conclude anything from one listing's silence.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

NULL_SENDER = "MAILER-DAEMON"  # so showq(8) writes it; an address of that name would have a domain


@dataclass(frozen=True, slots=True)
class QueueRecipient:
    """One recipient still to be delivered; reason is why the last attempt failed, empty before any did."""

    address: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """One queue file. queue: incoming, active, deferred or hold (or maildrop, before pickup has taken it).

    arrival in seconds since 1970, size in bytes; forced_expire: somebody ran `postsuper -e` or `-f` on it.
    """

    queue: str
    queue_id: str
    arrival: float
    size: int
    sender: str
    recipients: tuple[QueueRecipient, ...]
    forced_expire: bool = False


def parse_listing(lines: Iterable[bytes]) -> tuple[list[QueueEntry], int]:
    """The entries of `postqueue -j`'s output, and how many of its lines could not be understood."""
    entries: list[QueueEntry] = []
    bad = 0
    for line in lines:
        if not line.strip():
            continue
        try:
            entries.append(_entry(json.loads(line.decode("utf-8", "backslashreplace"), strict=False)))
        except (ValueError, KeyError, TypeError, AttributeError):
            bad += 1
    return entries, bad


def _entry(values: dict[str, Any]) -> QueueEntry:
    return QueueEntry(
        queue=str(values["queue_name"]),
        queue_id=str(values["queue_id"]),
        arrival=min(max(float(values["arrival_time"]), 0.0), 1e10),
        size=min(max(int(values.get("message_size", 0)), 0), 1 << 60),
        sender="" if values.get("sender") == NULL_SENDER else _storable(str(values.get("sender", ""))),
        recipients=tuple(
            QueueRecipient(_storable(str(item["address"])), _storable(str(item.get("delay_reason", ""))))
            for item in values.get("recipients", [])
        ),
        forced_expire=bool(values.get("forced_expire", False)),
    )


def _storable(text: str) -> str:
    # JSON can smuggle in what neither UTF-8 nor a database takes: NUL and lone surrogates.
    return text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode()
