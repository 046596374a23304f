"""The design's words as they stand in the database, each a small number with one name.

The numbers are stored and must never change their meaning; the names are what people, JSON and filters see.
"""

from __future__ import annotations

from enum import IntEnum
from functools import cache


class Word(IntEnum):
    """An enumeration that is shown by its lower-case name, dashes for underscores."""

    @property
    def word(self) -> str:
        """The word as people see it."""
        return self.name.lower().replace("_", "-")

    @classmethod
    def words(cls) -> list[str]:
        """All words of this kind."""
        return [member.word for member in cls]


@cache
def word_of(kind: type[Word], number: int) -> str:
    """The word for a stored number."""
    return kind(number).word


class Status(Word):
    """What became of one recipient of a message."""

    FILTERING = 1
    STALLED = 2
    QUEUED = 3
    DEFERRED = 4
    DELIVERED = 5
    FAILED = 6
    REJECTED = 7
    DELETED = 8
    RETURNED = 9
    UNKNOWN = 10


PENDING = (Status.FILTERING, Status.STALLED, Status.QUEUED, Status.DEFERRED)


class Direction(Word):
    """Which way a message goes for one recipient."""

    INBOUND = 1
    OUTBOUND = 2
    INTERNAL = 3


class Source(Word):
    """Who told us of a message or a session; NOTICE: the log, of a notice that we sent ourselves."""

    MILTER = 1
    LOG = 2
    NOTICE = 3


class LegKind(Word):
    """Why a queue file came to be."""

    FIRST = 1
    REQUEUE = 2
    SPLIT = 3
    BOUNCE = 4
    FORWARD = 5
    FILTER = 6
    NOTICE = 7


class Queue(Word):
    """The Postfix queue that a leg was last seen in; GONE once Postfix removed it."""

    INCOMING = 1
    ACTIVE = 2
    DEFERRED = 3
    HOLD = 4
    GONE = 5


class Outcome(Word):
    """How one delivery attempt ended (Postfix's status= word)."""

    SENT = 1
    DEFERRED = 2
    BOUNCED = 3
    EXPIRED = 4
    FORCE_EXPIRED = 5
    UNDELIVERABLE = 6
    DELIVERABLE = 7
    DISCARDED = 8


class CommandState(Word):
    """How far a requested act has come."""

    REQUESTED = 1
    RUNNING = 2
    DONE = 3
    FAILED = 4
    REFUSED = 5
