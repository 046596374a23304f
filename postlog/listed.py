"""Compares the book with a listing of the queue: what Postfix still has, and what it has no more.

The log stays the one that decides; the listing fills in what the log does not say (all recipients of held
mail, mail from before the log began) and ends what the log never told the end of.
"""

from __future__ import annotations

from collections.abc import Container, Iterable

from mailweir.postlog.book import Book
from mailweir.postlog.legs import PENDING, Leg, Recipient, key_of
from mailweir.postlog.queue import QueueEntry
from mailweir.postlog.queue_id import is_queue_id
from mailweir.records.words import Direction, Queue, Source, Status

SAME = 5_000_000  # microseconds by which listing and log may differ about one file's arrival
MISSES = 2  # listings in a row that must miss a file before it counts as gone
FILTERING_FOR = 900.0  # seconds a message may be with the filter, where no listing shows it
_QUEUES = {
    "incoming": Queue.INCOMING,
    "active": Queue.ACTIVE,
    "deferred": Queue.DEFERRED,
    "hold": Queue.HOLD,
}


def take(book: Book, entry: QueueEntry, now: float) -> None:
    """Enter what one queue file's listing says."""
    queue = _QUEUES.get(entry.queue)
    if queue is None or not is_queue_id(
        entry.queue_id
    ):  # maildrop, corrupt: not a message of Postfix's yet, or no more
        return
    leg = book.find(entry.queue_id)
    if leg is not None and (leg.queue == Queue.GONE or abs(leg.arrival - entry.arrival * 1_000_000) > SAME):
        if leg.queue == Queue.GONE and leg.removed is not None and now - leg.removed < 60:
            return  # listed while it was being removed
        if leg.queue != Queue.GONE and len(entry.queue_id) > 12:
            pass  # a long ID is never another file's
        elif leg.queue == Queue.GONE:
            leg = None
    if leg is None:
        leg = book.begin(entry.queue_id, now, entry.arrival)
    _update(book, leg, entry, queue, now)


def _update(book: Book, leg: Leg, entry: QueueEntry, queue: Queue, now: float) -> None:
    message = leg.message
    leg.missed = 0
    if message.sender is None and leg.carries:
        message.sender, message.dirty = key_of(entry.sender), True
    if not message.size and leg.carries:
        message.size, message.dirty = entry.size, True
    leg.size = leg.size or entry.size
    if queue != leg.queue:
        leg.queue = queue
        if queue == Queue.HOLD and leg.held is None:
            leg.held = now
        elif queue != Queue.HOLD:
            leg.held = None
    if leg.carries and not leg.probe:
        for item in entry.recipients:
            _recipient(leg, key_of(item.address), item.reason, queue, now)
    book.accept(leg)


def _recipient(leg: Leg, address: str, reason: str, queue: Queue, now: float) -> None:
    recipients = leg.message.recipients
    recipient = recipients.get(address)
    if recipient is None:
        if leg.message.source == Source.MILTER or any(one.finals for one in recipients.values()):
            return  # listed under the address that an alias led to
        recipient = recipients[address] = Recipient(address, Status.QUEUED, Direction.INBOUND, leg.id, now)
    if recipient.leg_id is None:  # one of several copies carries it, and only the listing says which
        recipient.leg_id, recipient.dirty = leg.id, True
    if recipient.leg_id != leg.id or (recipient.status not in PENDING and recipient.status != Status.UNKNOWN):
        return
    if queue == Queue.HOLD:
        status = Status.STALLED
    elif reason or (recipient.status == Status.DEFERRED and queue == Queue.ACTIVE):
        status = Status.DEFERRED
    else:
        status = Status.QUEUED
    if recipient.status != status or (reason and not recipient.reply):
        recipient.settle(status, now, recipient.dsn, reason or recipient.reply)


def missed(book: Book, open_legs: Iterable[tuple[str, int]], listed: Container[str], now: float) -> None:
    """Count a miss for every open leg that the listing does not show; the second one ends it as unknown."""
    for queue_id, _arrival in open_legs:
        if queue_id in listed:
            leg = book.legs.get(queue_id)
            if leg is not None and leg.missed:
                leg.missed = 0
                book.touch(leg)
            continue
        leg = book.find(queue_id)
        if leg is None or leg.queue == Queue.GONE:
            continue
        filtering = any(one.status == Status.FILTERING for one in leg.own_recipients())
        if filtering and now - leg.arrival / 1_000_000 < FILTERING_FOR:
            continue
        leg.missed += 1
        if leg.missed >= MISSES:
            book.end(leg, now, Status.UNKNOWN)
        else:
            book.touch(leg)
