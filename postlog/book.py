"""The book of queue files being followed: finds or begins them, joins them, and hands on what changed.

Only what the database does not know yet has to survive a restart; the rest is a bounded cache of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from mailweir.postlog import queue_id as queue_ids
from mailweir.postlog.changes import Changes
from mailweir.postlog.legs import Leg, Message
from mailweir.records.ids import AGENT_SLOT, IdSource, milliseconds_of
from mailweir.records.words import LegKind, Queue, Source, Status

_GONE = Queue.GONE.value
MOST_LEGS = 8_192  # queue files cached although the database knows them
SPARE_MESSAGES = 1_024  # remembered beyond those of the queue files cached
MOST_RECEIVING = 4_096  # queue files begun but not yet accepted; the oldest are let go
RECEIVING_FOR = 3_600.0  # seconds after which one that never came to an end is let go
SECOND = queue_ids.SECOND
CLOSE = 3600 * SECOND  # the longest between the beginning of a short ID's file and what the filter tells


class NotAQueueId(ValueError):
    """What stands in a queue ID's place cannot be one; the line is about nothing that we keep."""


class Memory(Protocol):
    """What the database knows, for a tracker that meets a queue ID it does not have in its book."""

    def leg(self, queue_id: str, arrival: int | None = None) -> dict[str, Any] | None:
        """The newest leg with this queue ID (or of that arrival), its message and recipients; or None.

        See Book._loaded.
        """

    def arrivals(self, queue_id: str, since: int, until: int) -> list[int]:
        """The arrivals (microseconds since 1970) of the legs with this queue ID in that span."""

    def last_id(self, milliseconds: int) -> int:
        """The largest ID of the tracker's own slot within the second that begins there; 0 for none."""


class Book:
    """All queue files that lines may be about."""

    def __init__(
        self,
        node: int,
        memory: Memory | None = None,
        *,
        known_until: int = 0,
        taken_until: int = 0,
        slot: int = AGENT_SLOT,
    ) -> None:
        """known_until: the database's latest arrival of a leg (microseconds); taken_until: its largest ID.

        slot: of the IDs made here.
        """
        self.node, self.slot = node, slot
        self.now = 0.0  # time of the latest line
        self.legs: dict[str, Leg] = {}
        self.receiving: dict[str, Leg] = {}  # those of them that Postfix has not accepted yet
        self.memory = memory
        self.orphaned = 0
        self._horizon = known_until  # arrival of the latest leg that the database may know and the book not
        self._behind: dict[str, int] = {}  # arrival of the short ID's file that the log is at, if used since
        self._heard_until = known_until  # the latest leg that something else than the log told of
        self._careful_until = milliseconds_of(taken_until) // 1000 + 1 if taken_until else 0  # seconds
        self._second = 0
        self._ids = IdSource(node, slot)
        self.next_of: Callable[[int], int] = self._careful  # an ID for a moment in milliseconds
        self._messages: dict[int, Message] = {}  # of the legs in the book
        self._dirty: list[Leg] = []
        self._ended: list[Leg] = []
        self._ended_before: list[Leg] = []
        self._changes = Changes()

    # IDs

    def next_id(self, time: float) -> int:
        """A new ID for that moment; never one that the database has."""
        return self.next_of(int(time * 1000))

    def _careful(self, milliseconds: int) -> int:
        """next_of while the database may have IDs of the same time."""
        second = milliseconds // 1000
        if second > self._careful_until:
            self.next_of = self._ids.next
        elif second != self._second and self.memory is not None:
            self._second = second
            taken = self.memory.last_id(second * 1000)
            if taken > self._ids.last:
                self._ids = IdSource(self.node, self.slot, taken)
        return self._ids.next(milliseconds)

    # finding and beginning

    def find(self, queue_id: str) -> Leg | None:
        """The queue file that a line names, from the book or the database."""
        leg = self.legs.get(queue_id)
        if leg is not None or not self._horizon or self.memory is None:
            return leg
        arrival = queue_ids.arrival_us(queue_id)
        if arrival is not None and arrival > self._horizon:
            return None
        found = self.memory.leg(queue_id, self._behind.get(queue_id))
        return self._loaded(found) if found else None

    def begin(self, queue_id: str, time: float, arrival: float | None = None) -> Leg:
        """A new queue file, or the one known already when its ID can only be the same file's.

        Raises NotAQueueId.
        time: of the line; arrival: seconds since 1970 when known better than that.
        """
        micros = queue_ids.arrival_us(queue_id)
        if micros is None:
            micros = self._short_arrival(queue_id, time if arrival is None else arrival)
            known = self._heard_of(queue_id, micros, int(time * SECOND))
            if known is None:
                self._end_reused(queue_id, time)
            if arrival is not None:
                self._heard_until = max(self._heard_until, micros)
        else:
            known = self.legs.get(queue_id)
            if known is None and micros <= self._horizon:
                known = self.find(queue_id)
        if known is not None:
            return known
        identifier = self.next_of(int(time * 1000))
        leg = Leg(identifier, queue_id, micros, Message(identifier))
        leg.seen = time
        self.legs[queue_id] = self.receiving[queue_id] = leg
        return leg

    @staticmethod
    def _short_arrival(queue_id: str, seconds: float) -> int:
        micros = queue_ids.short_micros(queue_id)
        if micros is None:
            raise NotAQueueId(queue_id)
        return int(seconds) * SECOND + micros

    def _heard_of(self, queue_id: str, arrival: int, begun: int) -> Leg | None:
        """The short ID's file that a line begins, when journal or queue listing told of it before the log.

        arrival, begun: what the line tells of it, and its own time; both in microseconds.
        """
        self._behind.pop(queue_id, None)
        if begun > self._heard_until:
            return None
        known = self.legs.get(queue_id)
        since, until = min(arrival, begun), begun + CLOSE
        told = self.memory.arrivals(queue_id, since, until) if self.memory else []
        if known is not None and since <= known.arrival < until:
            told.append(known.arrival)
        found = queue_ids.file_begun(told, arrival, begun)
        if found is None:
            return None
        if found < max(told) and len(self._behind) < MOST_LEGS:
            self._behind[queue_id] = found
        if known is not None:
            if known.arrival == found:
                return known
            if known.arrival < begun:
                self._end_if_open(known, begun / SECOND)
        values = self.memory.leg(queue_id, found) if self.memory else None
        return self._loaded(values) if values else None

    def enter(self, leg: Leg) -> None:
        """Enter a new leg made elsewhere; one of a short ID that was used again since is only written."""
        self._heard_until = max(self._heard_until, leg.arrival)
        if len(leg.queue_id) < queue_ids.SHORTEST_LONG:
            known = self.find(leg.queue_id)
            if known is not None and known.arrival > leg.arrival:
                return
            if known is not None:
                self._end_if_open(known, leg.seen)
        self.legs[leg.queue_id] = self.receiving[leg.queue_id] = leg

    def _end_reused(self, queue_id: str, time: float) -> None:
        """A short ID begins anew: a file that had it before and was never seen to end is over."""
        old = self.find(queue_id)
        if old is not None:
            self._end_if_open(old, time)

    def _end_if_open(self, leg: Leg, time: float) -> None:
        if leg.accepted and leg.queue != Queue.GONE:
            self.end(leg, time, Status.UNKNOWN)

    def end(self, leg: Leg, time: float, status: Status) -> None:
        """The queue file is gone; recipients it still carried get that status."""
        leg.queue, leg.removed = Queue.GONE, time
        for recipient in leg.pending():
            recipient.settle(status, time)
        self.touch(leg)

    def touch(self, leg: Leg) -> None:
        """Note that the leg or its message has something to be written."""
        if not leg.dirty:
            leg.dirty = True
            self._dirty.append(leg)

    def accept(self, leg: Leg) -> None:
        """Postfix has taken the responsibility: from here on it is in the records."""
        leg.accepted = True
        if self.receiving.get(leg.queue_id) is leg:
            del self.receiving[leg.queue_id]
        if not leg.dirty:
            leg.dirty = True
            self._dirty.append(leg)

    def forget(self, leg: Leg) -> None:
        """Drop a queue file that Postfix never accepted."""
        if self.receiving.get(leg.queue_id) is leg:
            del self.receiving[leg.queue_id]
            self.legs.pop(leg.queue_id, None)

    # messages

    def rekey(self, message: Message, identifier: int) -> None:
        """Give a reconstructed message the ID that the filter's journal has for it."""
        if message.stored:
            self._changes.rekeyed.append((message.id, identifier))
        message.id = identifier
        message.stored, message.dirty = False, True
        for recipient in message.recipients.values():
            recipient.stored = False
        self._messages[identifier] = message

    def join(self, child: Leg, parent: Leg, kind: LegKind) -> None:
        """Make a leg a further queue file of another's message (or, a bounce, a file about it)."""
        child.kind, child.parent_id = kind, parent.id
        own, message = child.message, parent.message
        if child.carries:
            child.sender = None
        elif child.sender is None:
            child.sender = own.sender  # qmgr may have named it before the log said what it is about
        self.accept(child)  # so that a restart finds the bond in the database
        if child.probe:
            child.probe = False
            if child.stored:
                self._changes.adopted.append((message.id, child.id))
        if own is message:
            return
        if own.id != child.id:  # the filter told of it before the log said what it is a file of
            if kind != LegKind.FILTER:
                return
            own.shared = message.shared = True
            if message.source != Source.MILTER:  # only what came back passed the filter: its record stays
                self._absorb(message, own, parent)
                own.take_over(message)
                self.touch(child)
                return
        self._absorb(own, message, child)
        if child.carries:
            self._adopt(own, message, child)
        self.touch(parent)

    def _absorb(self, gone: Message, kept: Message, leg: Leg) -> None:
        """What was taken for a message of its own, with at least that queue file, is of another one."""
        if gone.stored:
            self._changes.rekeyed.append((gone.id, kept.id))
        self._changes.hand_over(gone.id, kept.id)
        gone.stored = True  # never written from here on
        for one in [one for one in self.legs.values() if one.message is gone] if gone.shared else [leg]:
            one.message = kept
        leg.message = kept
        kept.shared = True
        self._messages[kept.id] = kept

    @staticmethod
    def _adopt(own: Message, message: Message, child: Leg) -> None:
        """Carry over what a leg already told of recipients, before it was known whose they are."""
        for key, recipient in own.recipients.items():
            known = message.recipients.get(key)
            recipient.stored = False
            if known is None:
                message.recipients[key] = recipient
                continue
            known.settle(recipient.status, recipient.changed, recipient.dsn, recipient.reply)
            known.attempts += recipient.attempts
            known.leg_id, known.finals = child.id, recipient.finals

    # writing

    @property
    def changes(self) -> Changes:
        """What the coming flush will hand on; sessions and rejects are entered here directly."""
        return self._changes

    def flush(self) -> Changes:
        """All that changed since the last flush; what is settled leaves the book."""
        changes = self._changes
        for leg in self._dirty:
            leg.dirty = False
            if leg.accepted:
                self._write(leg, changes)
        self._dirty = []
        self._changes = Changes()
        self._let_go()
        return changes

    def _write(self, leg: Leg, changes: Changes) -> None:
        message = leg.message
        identifier = None if leg.probe else message.id
        if identifier is not None:
            self._write_message(message, identifier, changes)
        if leg.stored:
            changes.changed_legs.append(leg.changed_row())
        else:
            leg.stored = True
            changes.legs.append(leg.row(self.node))
        if leg.deliveries:
            for row in leg.deliveries:
                row[1] = identifier
            changes.deliveries += leg.deliveries
            leg.deliveries = []
        if leg.queue == _GONE:
            self._ended.append(leg)
        elif identifier is not None:
            self._messages[identifier] = message

    def _write_message(self, message: Message, identifier: int, changes: Changes) -> None:
        if not message.stored:
            message.stored, message.dirty = True, False
            changes.messages.append(message.row(self.node))
        elif message.dirty:
            message.dirty = False
            changes.changed_messages.append(message.changed_row())
        for recipient in message.recipients.values():
            if not recipient.stored:
                recipient.stored, recipient.dirty = True, False
                changes.recipients.append(recipient.row(identifier))
            elif recipient.dirty:
                recipient.dirty = False
                changes.changed_recipients.append(recipient.changed_row(identifier))

    def _let_go(self) -> None:
        """Drop what ended before the last flush, as late lines may come, and what there is too much of."""
        legs, horizon = self.legs, self._horizon
        for leg in self._ended_before:
            if leg.queue == _GONE and not leg.dirty:
                if legs.get(leg.queue_id) is leg:
                    del legs[leg.queue_id]
                    if not leg.message.shared:
                        self._messages.pop(leg.message.id, None)
                if leg.arrival > horizon:
                    horizon = leg.arrival
        self._ended_before, self._ended, self._horizon = self._ended, [], horizon
        oldest = iter(list(self.receiving.values())[: max(0, len(self.receiving) - MOST_RECEIVING)])
        for leg in oldest:
            self.forget(leg)
        while self.receiving:
            leg = next(iter(self.receiving.values()))
            if leg.seen > self.now - RECEIVING_FOR:
                break
            self.forget(leg)
        if len(self.legs) > MOST_LEGS:
            for leg in list(self.legs.values())[: MOST_LEGS // 4]:
                if leg.stored and not leg.dirty:
                    self._drop(leg)
        if len(self._messages) > len(legs) + SPARE_MESSAGES:
            self._messages = {leg.message.id: leg.message for leg in legs.values()}

    def _drop(self, leg: Leg) -> None:
        """Take a leg that the database knows out of the book; find() brings it back when it is needed."""
        if self.legs.get(leg.queue_id) is leg:
            del self.legs[leg.queue_id]
        self._horizon = max(self._horizon, leg.arrival)

    # from the database and over restarts

    def _loaded(self, found: dict[str, Any]) -> Leg:
        leg = Leg.from_values(found["leg"])
        message = self._messages.get(found["leg"]["message_id"] or 0)
        if message is None:
            message = Message.from_values(found) if found["message"] else Message(leg.id)
            self._messages[message.id] = message
        leg.message = message
        self.legs[leg.queue_id] = leg
        return leg

    def state(self) -> dict[str, Any]:
        """What a restart needs and the database does not have."""
        return {
            "last_id": self._ids.last,
            "now": self.now,
            "behind": self._behind,
            "receiving": [leg.receiving_values() for leg in self.receiving.values()],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of state()."""
        self._ids = IdSource(self.node, self.slot, state["last_id"])
        self.now = state["now"]
        self._behind = state.get("behind", {})
        for values in state["receiving"]:
            leg = Leg.from_receiving(values)
            if self.memory is None or not self.memory.arrivals(leg.queue_id, leg.arrival, leg.arrival + 1):
                self.legs[leg.queue_id] = self.receiving[leg.queue_id] = leg
