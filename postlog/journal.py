"""Takes the filter's journal lines into the book: messages as they were accepted, held or turned away.

The journal knows more than the log (subject, recipients, verdicts), so what the log told first is kept as
deliveries but takes on the journal's Mail In ID.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from mailweir.postlog.book import CLOSE, SECOND, Book
from mailweir.postlog.changes import Row
from mailweir.postlog.legs import PENDING, Leg, Message, Recipient, clipped, key_of
from mailweir.postlog.queue_id import arrival_us, short_micros
from mailweir.postlog.stamps import LATEST
from mailweir.records.words import Direction, Queue, Source, Status

_DIRECTIONS = {direction.word: direction.value for direction in Direction}
_STATUSES = {
    "accept": Status.QUEUED,
    "stall": Status.STALLED,
    "reject": Status.REJECTED,
    "defer": Status.REJECTED,
    "discard": Status.DELETED,
}
_TEXTS = ("subject", "message_id", "client_ip", "client_name", "helo", "tls", "auth_user", "verdict", "reply")


def storable(text: Any) -> str:
    r"""Text as a database takes it: NUL as \x00, bytes that were no UTF-8 as \xNN."""
    plain = str(text)
    if plain.isascii() and "\0" not in plain:
        return plain
    plain = plain.replace("\0", "\\x00")
    try:
        return plain.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # a surrogate that stands for no byte
        return plain.encode("utf-8", "backslashreplace").decode()


def take(book: Book, lines: Iterable[bytes]) -> tuple[int, int]:
    """Enter journal lines; returns how many were understood and how many were not."""
    good = bad = 0
    for line in lines:
        if not line.strip():
            continue
        try:
            entry = json.loads(line, strict=False)
            if entry["event"] not in ("message", "filtering"):
                continue
            _enter(book, entry)
            good += 1
        except (ValueError, KeyError, TypeError, AttributeError):
            bad += 1
    return good, bad


def _enter(book: Book, entry: dict[str, Any]) -> None:
    time, queue_id = _within(float(entry["time"]), LATEST), clipped(storable(entry["queue_id"]))
    arrival, identifier = (int(_within(int(entry[name]), 1 << 62)) for name in ("arrival_us", "id"))
    recipients = [_recipient(entry, one, time) for one in entry["recipients"]]
    leg = _leg(book, queue_id, arrival, identifier, time)
    message = leg.message
    if message.source == Source.MILTER and message.id != identifier:
        _enter_again(book, leg, entry, recipients, time)
        return
    if message.source == Source.MILTER and message.stored:
        book.changes.replaced.append(identifier)
        message.stored = False
    elif message.id != identifier:
        book.rekey(message, identifier)
    _fill(message, entry)
    known, message.recipients = message.recipients, {}
    for recipient in recipients:
        message.recipients[recipient.address] = _merged(leg, recipient, known.pop(recipient.address, None))
    if message.source == Source.LOG:
        for key, recipient in known.items():  # such as those that always_bcc added
            if recipient.attempts:
                recipient.stored = False
                message.recipients[key] = recipient
    message.source = Source.MILTER
    _queue(leg, entry, time)
    book.changes.findings += _findings(entry, identifier)
    for item in entry.get("attachments", ()):
        texts = [storable(item.get(key, "")) for key in ("part", "name", "type")]
        size, digest = (
            int(_within(int(item.get("size", 0)), 1 << 62)),
            clipped(storable(item.get("sha256", ""))),
        )
        book.changes.attachments.append((identifier, *texts, size, digest))
    book.accept(leg)


def _enter_again(
    book: Book, leg: Leg, entry: dict[str, Any], recipients: list[Recipient], time: float
) -> None:
    """The message has come through the filter before, and came back from an after-queue filter.

    It keeps its Mail In ID; what the filter decided this time is where its recipients stand.
    """
    for recipient in recipients:
        known = leg.message.recipients.get(recipient.address)
        if known is not None and known.leg_id == leg.id and known.status in PENDING:
            known.settle(recipient.status, time, "", recipient.reply)
    if entry["event"] == "message":
        _queue(leg, entry, time)
    book.changes.found_again(leg.message.id, _findings(entry, leg.message.id))
    book.accept(leg)


def _findings(entry: dict[str, Any], message: int) -> list[Row]:
    """Rows of changes.FINDING."""
    names = ("kind", "part", "name", "detail")
    return [
        (message, *(storable(item.get(name, "")) for name in names)) for item in entry.get("findings", ())
    ]


def _within(number: float, limit: float) -> float:
    """The number, if a database can hold it. Raises ValueError."""
    if not 0 <= number < limit:
        raise ValueError(number)
    return number


def _leg(book: Book, queue_id: str, arrival: int, identifier: int, time: float) -> Leg:
    """The queue file that the filter saw: known already, or new."""
    known = book.find(queue_id) if queue_id else None
    if known is not None and _is_file(known, arrival, identifier):
        return known
    if arrival_us(queue_id) is None and arrival % SECOND == short_micros(queue_id):
        arrival += 1  # it is not the file's own
    leg = Leg(book.next_id(time), queue_id, arrival, Message(identifier))
    leg.seen = time
    book.enter(leg)
    return leg


def _is_file(known: Leg, arrival: int, identifier: int) -> bool:
    """Whether a file of the same queue ID is the one that the filter saw.

    A long ID is used once; a short one's file was there at `arrival`, when the filter had the message.
    """
    if arrival_us(known.queue_id) is not None:
        return True
    if known.message.source == Source.MILTER and (known.message.id == identifier or known.parent_id is None):
        return known.message.id == identifier
    was_there = known.arrival - SECOND <= arrival < known.arrival + CLOSE
    return was_there and (known.removed is None or known.removed * SECOND >= arrival - SECOND)


def _fill(message: Message, entry: dict[str, Any]) -> None:
    for name in _TEXTS:
        setattr(message, name, storable(entry.get(name, "")))
    message.message_id, message.client_ip = clipped(message.message_id), clipped(message.client_ip)
    message.sender = key_of(storable(entry["sender"]))
    message.size = int(_within(int(entry.get("size", 0)), 1 << 62))
    message.authres = storable(json.dumps(entry["authres"])) if entry.get("authres") else ""
    message.dirty = True


def _recipient(entry: dict[str, Any], one: dict[str, Any], time: float) -> Recipient:
    """The recipient as the filter left it. A message turned away as a whole takes all of them along."""
    whole = entry.get("verdict", "")
    word = whole if whole in ("reject", "defer", "discard") else one.get("verdict", "")
    status = _STATUSES[word] if entry["event"] == "message" else Status.FILTERING
    direction = _DIRECTIONS.get(one.get("direction", ""), Direction.INBOUND)
    recipient = Recipient(key_of(storable(one["address"])), status, direction, 0, time)
    recipient.verdict = storable(one.get("verdict", ""))
    recipient.trace = storable(json.dumps(one["trace"])) if one.get("trace") else ""
    if status == Status.REJECTED:
        recipient.reply = storable(entry.get("reply", ""))
    if one.get("split"):
        recipient.leg_id = None
    return recipient


def _merged(leg: Leg, recipient: Recipient, known: Recipient | None) -> Recipient:
    """The journal's recipient with what the log or an earlier journal line already told of its way."""
    if recipient.leg_id is not None:
        recipient.leg_id = leg.id
    if known is None or known.status == Status.FILTERING:
        return recipient
    known.direction, known.verdict, known.trace = recipient.direction, recipient.verdict, recipient.trace
    if known.status in PENDING and not known.attempts and known.leg_id == leg.id:
        known.settle(recipient.status, recipient.changed, "", recipient.reply)
        known.leg_id = recipient.leg_id
    known.stored, known.dirty = False, True
    return known


def _queue(leg: Leg, entry: dict[str, Any], time: float) -> None:
    """Where the file stands after the filter's answer, unless the log has told more already."""
    verdict = entry.get("verdict", "")
    if leg.queue != Queue.INCOMING:
        return
    if verdict == "stall":
        leg.queue, leg.held = Queue.HOLD, time
    elif verdict in ("reject", "defer", "discard"):
        leg.queue, leg.removed = Queue.GONE, time
