"""Puts events together: which queue file, which message, which recipient, and how each stands now.

The log decides, in its order; where it is silent the answer is `unknown`, never a guess. Queue IDs are looked
up in the book (book.py), which keeps legs by node, queue ID and arrival.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from mailweir.postlog.book import Book, Memory, NotAQueueId
from mailweir.postlog.changes import UNKNOWN_ADDRESS, Changes
from mailweir.postlog.copies import Copies
from mailweir.postlog.encrypted import Encrypted
from mailweir.postlog.events import (
    Active,
    Attempt,
    Client,
    Connecting,
    Disconnected,
    Event,
    Expired,
    Filtered,
    Lost,
    MessageId,
    Notification,
    Pickup,
    Reject,
    Removed,
    Said,
    Secured,
    SecuredFrom,
    Super,
)
from mailweir.postlog.legs import KEYS, PENDING, Leg, Recipient, clipped, direction_of
from mailweir.postlog.sessions import Talks
from mailweir.records.ids import AGENT_SLOT
from mailweir.records.words import LegKind, Outcome, Queue, Source, Status

OUTCOMES: dict[str, int] = {outcome.word: outcome.value for outcome in Outcome}
_SENT, _DEFERRED = Outcome.SENT.value, Outcome.DEFERRED.value
_GONE, _DEFERRED_QUEUE, _LOG = Queue.GONE.value, Queue.DEFERRED.value, Source.LOG.value
_QUEUED = Status.QUEUED.value
_ABOUT = (LegKind.BOUNCE.value, LegKind.NOTICE.value)
_STATUS_AFTER: dict[int, int] = {
    Outcome.SENT: Status.DELIVERED,
    Outcome.DEFERRED: Status.DEFERRED,
    Outcome.BOUNCED: Status.FAILED,
    Outcome.EXPIRED: Status.RETURNED,
    Outcome.FORCE_EXPIRED: Status.RETURNED,
    Outcome.UNDELIVERABLE: Status.FAILED,
    Outcome.DELIVERABLE: Status.DELIVERED,
    Outcome.DISCARDED: Status.DELETED,
}
_STATUS_AFTER = {outcome.real: status.real for outcome, status in _STATUS_AFTER.items()}
FORWARDED = "forwarded as "  # local(8) so names the queue file that an alias or .forward led to
_QUEUED_AS = "queued as "
IN_COPY = "is in this copy"  # the holding service's word for each recipient: postfix-example/master.cf
_PROBES = ("double-bounce@",)
PICKUP = "pickup"  # stands where a leg from the network has smtpd's process ID
MOST_HOLDING = 1_000  # smtpd processes whose client an access table wants held
MOST_RELAYS = 10_000


def status_after(outcome: int, service: str, reply: str) -> int:
    """The recipient's status after one attempt, as far as that attempt tells."""
    if outcome == _SENT:
        if reply.startswith(FORWARDED):
            return Status.QUEUED
        if service.rpartition("/")[2] == "discard":
            return Status.DELETED
    return _STATUS_AFTER[outcome]


class _Relays(dict[str, tuple[str, str, int | None]]):
    """relay=host[ip]:port taken apart, remembered; a socket's path stands where the address would."""

    def __missing__(self, relay: str) -> tuple[str, str, int | None]:
        name, bracket, rest = relay.partition("[")
        ip, _, port = rest.rpartition("]")
        number = int(port[1:]) if port[1:].isdecimal() and len(port) <= len(":65535") else None
        place = (clipped(name), clipped(ip), number) if bracket else (clipped(relay), "", None)
        if len(self) >= MOST_RELAYS:
            self.clear()
        self[relay] = place = ("", "", None) if place[0] == "none" else place
        return place


class _Directions(dict[str, int]):
    """direction_of each service, remembered."""

    def __missing__(self, service: str) -> int:
        if len(self) >= MOST_RELAYS:
            self.clear()
        self[service] = direction = direction_of(service)
        return direction


_DIRECTIONS = _Directions()


class Tracker:
    """Takes events in the log's order; flush() hands on what they changed."""

    def __init__(
        self,
        node: int,
        memory: Memory | None = None,
        *,
        known_until: int = 0,
        taken_until: int = 0,
        slot: int = AGENT_SLOT,
    ) -> None:
        """See Book for the arguments."""
        self.book = Book(node, memory, known_until=known_until, taken_until=taken_until, slot=slot)
        self.talks = Talks(node)
        self.encrypted = Encrypted()
        self.copies = Copies(self.book)
        self.orphaned = 0
        self._holding: dict[str, list[Filtered]] = {}
        self._smtpd: dict[str, str] = {}  # process ID -> the queue ID it fills
        self._relays = _Relays()
        self._handlers: dict[type, Callable[[Any], None]] = {
            Client: self._client,
            MessageId: self._message_id,
            Active: self._active,
            Attempt: self._attempt,
            Removed: self._removed,
            Pickup: self._pickup,
            Expired: self._expired,
            Notification: self._notification,
            Super: self._super,
            Filtered: self._filtered,
            Reject: self._reject,
            Lost: self._lost,
            Said: self._said,
            Connecting: self._connecting,
            Secured: self._secured,
            SecuredFrom: self.encrypted.begun,
            Disconnected: self._disconnected,
        }

    def feed(self, events: Iterable[Event]) -> None:
        """Take events in."""
        handlers = self._handlers
        event: Event | None = None
        for event in events:
            handler = handlers.get(event.__class__)
            if handler is not None:
                try:
                    handler(event)
                except NotAQueueId:
                    self.orphaned += 1
        if event is not None:
            self.book.now = max(self.book.now, event.time)

    def flush(self) -> Changes:
        """What changed since the last flush."""
        self.talks.flush(self.book.changes)
        return self.book.flush()

    # a message enters

    def _client(self, event: Client) -> None:
        time, pid, _, queue_id, name, ip, user, orig_queue_id, _ = event
        book = self.book
        leg = book.begin(queue_id, time)
        leg.pid = pid
        message = leg.message
        if message.source == Source.LOG and not leg.accepted:
            message.client_name, message.client_ip, message.auth_user = name, clipped(ip), user
            if self.encrypted.incoming:
                message.tls = self.encrypted.of_client(pid, ip)
        self._smtpd[pid] = queue_id
        if orig_queue_id and orig_queue_id != queue_id:
            named = any(one.action == "warn" for one in self._holding.get(pid, ()))
            self._resubmitted(leg, orig_queue_id, named=named)
        if self._holding and pid in self._holding:
            for held in self._holding.pop(pid):
                self._filtered_leg(leg, held)

    def _resubmitted(self, leg: Leg, orig_queue_id: str, *, named: bool) -> None:
        """XFORWARD IDENT names the file this one is a copy of: split by our filter, or after another's.

        A file on hold is copied when an act concerns some of its recipients only: the first copy is for those
        that its own lines name, the second one for all others, and the original is deleted. (named: its
        lines name all; set up without `WARN is in this copy` the holding service names the first only.)
        """
        parent = self.book.find(orig_queue_id)
        if parent is None:
            return
        split = [one for one in parent.message.recipients.values() if one.leg_id is None]
        held = parent.queue == Queue.HOLD
        self.book.join(leg, parent, LegKind.SPLIT if split or held else LegKind.FILTER)
        for recipient in split if not (held and named) else ():
            recipient.leg_id, recipient.dirty = leg.id, True
        if held and not split:
            for recipient in parent.pending():
                recipient.leg_id, recipient.dirty = None, True

    def _pickup(self, event: Pickup) -> None:
        time, queue_id, _, sender, orig_id = event
        leg = self.book.begin(queue_id, time)
        leg.pid = PICKUP
        if not leg.accepted:
            leg.message.sender = sender
        if orig_id and orig_id != queue_id:
            self._requeued(leg, orig_id, time)

    def _requeued(self, leg: Leg, orig_id: str, time: float) -> None:
        old = self.book.find(orig_id)
        if old is None:
            return
        kind = LegKind(old.kind) if not old.carries else LegKind.REQUEUE
        for recipient in old.pending():
            recipient.leg_id = leg.id
            recipient.settle(Status.QUEUED, time)
        old.queue, old.removed = Queue.GONE, time
        self.book.touch(old)
        self.book.join(leg, old, kind)

    def _message_id(self, event: MessageId) -> None:
        time, queue_id, message_id = event
        leg = self.book.legs.get(queue_id)
        if leg is None or leg.queue == Queue.GONE:
            leg = self.book.find(queue_id)
            if leg is None or (leg.queue == Queue.GONE and len(queue_id) < 12):
                leg = self.book.begin(queue_id, time)
        if not leg.message.message_id:
            leg.message.message_id = clipped(message_id)
            leg.message.dirty = True
        if leg.queue == Queue.HOLD and not leg.accepted:
            self.book.accept(leg)

    def _active(self, event: Active) -> None:
        time, queue_id, sender, size, _ = event
        book = self.book
        leg = book.legs.get(queue_id)
        if leg is None:
            leg = book.find(queue_id)
            if leg is None:
                self.orphaned += 1
                leg = book.begin(queue_id, time)
        message = leg.message
        leg.size, leg.queue, leg.missed = size, Queue.ACTIVE, 0
        if message.sender is None and leg.carries:
            message.sender, message.dirty = sender, True
        if not message.size and leg.carries:
            message.size, message.dirty = size, True
        if not leg.accepted and not leg.pid and sender.startswith(_PROBES) and message.source == Source.LOG:
            leg.probe = True
        if leg.probe or not leg.carries:
            leg.sender = sender
        if leg.held is not None:
            self._release(leg, time)
        book.accept(leg)

    def _release(self, leg: Leg, time: float) -> None:
        leg.held = None
        for recipient in leg.own_recipients():
            if recipient.status in (Status.STALLED, Status.FILTERING):
                recipient.settle(Status.QUEUED, time)

    # a message leaves

    def _recipient(self, leg: Leg, address: str, service: str, time: float) -> Recipient:
        """The message's recipient with that address, entered when the log is the first to name it."""
        recipients = leg.message.recipients
        recipient = recipients.get(address)
        if recipient is None:
            key = KEYS[address]
            recipient = recipients.get(key)
            if recipient is None:
                recipient = recipients[key] = Recipient(
                    key, Status.QUEUED, direction_of(service), leg.id, time
                )
        return recipient

    def _attempt(self, event: Attempt) -> None:
        time, _, service, queue_id, final, orig_to, relay, delay, delays, dsn, word, reply = event
        book = self.book
        leg = book.legs.get(queue_id)
        if leg is None:
            leg = book.find(queue_id)
            if leg is None:
                self.orphaned += 1
                leg = book.begin(queue_id, time, time - delay)
        outcome = OUTCOMES.get(word)
        if outcome is None:
            return
        if not leg.accepted:
            book.accept(leg)
        elif not leg.dirty:
            book.touch(leg)
        address = KEYS[orig_to or final]
        elsewhere = KEYS[final] if orig_to and orig_to != final else None
        if self.copies.known and (meant := self.copies.meant(queue_id, address)):
            address, elsewhere = meant, KEYS[final]
        session = self.talks.attempt(event, outcome) if self.talks.open else None
        tls = self.encrypted.of_attempt(event) if self.encrypted.outgoing else ""
        host, ip, port = self._relays[relay]
        leg.deliveries.append([
            book.next_of(int(time * 1000)), None, leg.id, address, elsewhere, outcome, dsn, service, host, ip,
            port, delay, delays, reply, session, tls,
        ])  # fmt: skip
        if outcome == _DEFERRED and leg.queue != _GONE:
            leg.queue = _DEFERRED_QUEUE
        if leg.kind in _ABOUT or leg.probe:
            return
        # What the attempt means for the recipient that the message was meant for.
        message = leg.message
        recipient = message.recipients.get(address)
        if recipient is None:
            recipient = message.recipients[address] = Recipient(
                address, _QUEUED, _DIRECTIONS[service], leg.id, time
            )
        elif message.source == _LOG:
            recipient.direction = _DIRECTIONS[service]
        recipient.attempts += 1
        status = _STATUS_AFTER[outcome]
        if outcome == _SENT:
            child = book.legs.get(reply[reply.rfind(" ") + 1 :])
            if child is None and ip.startswith("127.") and _QUEUED_AS in reply:
                child = book.find(reply[reply.rfind(" ") + 1 :])
            if (child is not None or reply[:1] == "f") and self._goes_on(leg, recipient, event, child):
                return
            if service == "discard":
                status = Status.DELETED.value
        recipient.leg_id, recipient.changed, recipient.dirty = leg.id, time, True
        if elsewhere is not None or recipient.finals is not None:
            whole = recipient.tried(KEYS[final], status)
            if whole != status:  # another final address needs more attention: its reply stays
                recipient.status = whole
                return
        recipient.status, recipient.dsn, recipient.reply = status, dsn, reply

    def _goes_on(self, leg: Leg, recipient: Recipient, event: Attempt, child: Leg | None) -> bool:
        """Whether it was sent to ourselves, to go on as another queue file, which the reply names last."""
        time, reply = event.time, event.reply
        if reply.startswith(FORWARDED):  # local(8), by an alias or .forward
            kind = LegKind.FORWARD
            name = reply[len(FORWARDED) :]
            child = child or self.book.find(name) or self.book.begin(name, time)
        elif child is not None and _QUEUED_AS in reply and child is not leg:  # an after-queue filter
            if child.message.message_id != leg.message.message_id:
                return False
            kind = LegKind.FILTER
        else:
            return False
        if recipient.leg_id != child.id:  # else where it stands there was told already
            there = Status.STALLED if child.queue == Queue.HOLD else Status.QUEUED
            recipient.settle(there.value, time, event.dsn, reply)
            recipient.leg_id = child.id
        self.book.join(child, leg, kind)
        return True

    def _removed(self, event: Removed) -> None:
        time, queue_id = event
        leg = self.book.legs.get(queue_id)
        if leg is None:
            leg = self.book.find(queue_id)
            if leg is None:
                self.orphaned += 1
                return
        if not leg.message.recipients and leg.carries and not leg.probe:
            # Missing lines: there was somebody, but who it was and what became of it nobody can tell.
            self._recipient(leg, UNKNOWN_ADDRESS, "", time)
        leg.queue, leg.removed, leg.held = Queue.GONE, time, None
        self.copies.gone(queue_id)
        if not leg.accepted:
            self.book.accept(leg)
        elif not leg.dirty:
            self.book.touch(leg)
        for recipient in leg.message.recipients.values():
            if recipient.status in PENDING and recipient.leg_id == leg.id and leg.carries:
                recipient.settle(Status.UNKNOWN, time)

    def _expired(self, event: Expired) -> None:
        leg = self._known(event.queue_id)
        if leg is None:
            return
        words = "expired on request, returned to sender" if event.forced else "expired, returned to sender"
        for recipient in leg.pending():
            recipient.settle(
                Status.RETURNED, event.time, recipient.dsn, f"{words}; before: {recipient.reply}"
            )
        self.book.accept(leg)

    def _notification(self, event: Notification) -> None:
        parent = self._known(event.queue_id)
        if parent is None:
            return
        child = self.book.find(event.child) or self.book.begin(event.child, event.time)
        bounce = event.kind == "non-delivery" and event.to == "sender"
        self.book.join(child, parent, LegKind.BOUNCE if bounce else LegKind.NOTICE)

    def _known(self, queue_id: str) -> Leg | None:
        leg = self.book.find(queue_id)
        if leg is None:
            self.orphaned += 1
        return leg

    # acts on the queue

    def _super(self, event: Super) -> None:
        time, queue_id, act = event
        leg = self._known(queue_id)
        if leg is None:
            return
        if act == "removed":
            self.copies.original_removed(leg)
            self.copies.gone(queue_id)
            self.book.end(leg, time, Status.DELETED)
        elif act == "hold":
            leg.queue, leg.held = Queue.HOLD, time
            for recipient in leg.pending():
                recipient.settle(Status.STALLED, time)
        elif act == "release":
            leg.queue = Queue.DEFERRED
            self._release(leg, time)
        elif act == "requeued":
            leg.queue, leg.held = Queue.INCOMING, None
            for recipient in leg.pending():
                recipient.settle(Status.QUEUED, time)
        self.book.accept(leg)

    def _filtered(self, event: Filtered) -> None:
        if event.action not in ("hold", "quarantine", "reject", "discard", "tempfail", "warn"):
            return
        if event.action == "warn" and event.text != IN_COPY:
            return
        if not event.queue_id:
            if event.action in ("hold", "quarantine", "warn"):
                if len(self._holding) >= MOST_HOLDING:
                    self._holding.clear()
                self._holding.setdefault(event.pid, []).append(event)
            return
        leg = self._known(event.queue_id)
        if leg is not None:
            self._filtered_leg(leg, event)

    def _filtered_leg(self, leg: Leg, event: Filtered) -> None:
        if event.action == "warn":
            self.copies.named(leg, KEYS[event.recipient])
        elif event.action in ("hold", "quarantine"):
            self._hold(leg, event)
        else:
            self._turned_away(leg, event)

    def _hold(self, leg: Leg, event: Filtered) -> None:
        """Held by a milter, a header check or an access table. Milter lines name one recipient of several."""
        time = event.time
        leg.queue, leg.held = Queue.HOLD, time
        message = leg.message
        if message.sender is None:
            message.sender = event.sender
        message.helo = message.helo or event.helo
        if event.recipient and not self.copies.has(leg, KEYS[event.recipient]):
            recipient = self._recipient(leg, event.recipient, "", time)
            if recipient.leg_id is None:
                recipient.leg_id, recipient.dirty = leg.id, True
        for recipient in leg.own_recipients():
            if recipient.status in (Status.QUEUED, Status.FILTERING):
                recipient.settle(Status.STALLED, time, "", event.text)
        if message.message_id:
            self.book.accept(leg)

    def _turned_away(self, leg: Leg, event: Filtered) -> None:
        """Refused or discarded at or before the end of DATA, when there was a queue file already."""
        message = leg.message
        status = Status.DELETED if event.action == "discard" else Status.REJECTED
        if message.sender is None:
            message.sender = event.sender
        message.helo = message.helo or event.helo
        if event.recipient and message.source == Source.LOG:
            self._recipient(leg, event.recipient, "", event.time)
        for recipient in leg.own_recipients():
            if recipient.status in PENDING:
                recipient.settle(status, event.time, event.text.partition(" ")[0], event.text)
        message.reply, message.dirty = event.text, True
        leg.queue, leg.removed, leg.held = Queue.GONE, event.time, None
        self.book.accept(leg)

    def _reject(self, event: Reject) -> None:
        node = self.book.node
        self.book.changes.rejects.append((
            self.book.next_id(event.time), node, event.service, clipped(event.queue_id), event.stage,
            clipped(event.client_ip), event.client_name, event.helo,
            None if event.sender is None else KEYS[event.sender],
            None if event.recipient is None else KEYS[event.recipient], event.code, event.dsn, event.text,
        ))  # fmt: skip

    def _lost(self, event: Lost) -> None:
        self._holding.pop(event.pid, None)
        leg = self.book.legs.get(self._smtpd.pop(event.pid, ""))
        if leg is None or leg.pid != event.pid:
            return
        if not leg.accepted:
            self.book.forget(leg)

    # conversations

    def _said(self, event: Said) -> None:
        self.talks.said(event, self.book.next_id)

    def _connecting(self, event: Connecting) -> None:
        self.talks.connecting(event)

    def _secured(self, event: Secured) -> None:
        self.talks.secured(event)
        self.encrypted.opened(event)

    def _disconnected(self, event: Disconnected) -> None:
        self.encrypted.ended(event.pid)

    # over restarts

    def state(self) -> dict[str, Any]:
        """What a restart needs and the database does not have; small, whatever the log's size."""
        return {
            "book": self.book.state(),
            "talks": self.talks.state(),
            "encrypted": self.encrypted.state(),
            "copies": self.copies.state(),
            "holding": {pid: [list(event) for event in events] for pid, events in self._holding.items()},
            "smtpd": {leg.pid: leg.queue_id for leg in self.book.receiving.values() if leg.pid},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of state()."""
        self.book.restore(state["book"])
        self.talks.restore(state["talks"])
        self.encrypted.restore(state.get("encrypted", [{}, {}]))
        self.copies.restore(state.get("copies", {}))
        self._holding = {
            pid: [Filtered(*event) for event in events] for pid, events in state["holding"].items()
        }
        self._smtpd = dict(state["smtpd"])
