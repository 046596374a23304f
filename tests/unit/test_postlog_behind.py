"""The log is read later than the journal: after a pause of the agent, or under load.

What the journal told of a message must be found again by the log's first line about it, with long queue IDs
and with short ones, whether the message was let through or turned away; nothing may stop the rest.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from peewee import Database

from mailweir.postlog.position import Chunk, Position
from mailweir.postlog.queue import QueueEntry, QueueRecipient
from mailweir.postlog.queue_id import arrival_us
from mailweir.records.ingest import Ingest
from mailweir.records.models import Finding, Message
from tests.unit.postlog_records import in_utc, open_database, records

LONG = "4jYpxP3gXRzFt4d"
BEGUN = arrival_us(LONG) or 0  # microseconds
SHORT = f"{BEGUN % 1_000_000:05X}1A2B3"
NOW = BEGUN / 1e6 + 100
HOUR = 3600 * 1_000_000


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An empty one."""
    with in_utc():
        opened = open_database(tmp_path / "behind.db")
        yield opened
        opened.close()


def line(micros: int, text: str, *, fractions: bool = True) -> str:
    """A line of the log, written so many microseconds after BEGUN."""
    time = datetime.fromtimestamp((BEGUN + micros) / 1e6, UTC)
    stamp = time.isoformat(timespec="microseconds") if fractions else time.strftime("%b %e %H:%M:%S")
    return f"{stamp} mail postfix/{text}"


def journal(queue_id: str, identifier: int, micros: int, verdict: str, to: str, **more: Any) -> bytes:
    """What the filter notes at the end of a message, so many microseconds after BEGUN."""
    entry = {
        "v": 1, "event": "message", "id": identifier, "node": 0, "time": (BEGUN + micros) / 1e6,
        "queue_id": queue_id, "arrival_us": arrival_us(queue_id) or BEGUN + micros, "sender": "a@far.example",
        "recipients": [{"address": to, "direction": "inbound", "verdict": verdict}],
        "verdict": verdict, "reply": "4.7.1 later", "message_id": f"<{to}>", **more,
    }  # fmt: skip
    return json.dumps(entry).encode() + b"\n"


def received(queue_id: str, to: str, micros: int, **form: bool) -> list[str]:
    """The lines up to the filter's answer."""
    return [
        line(micros, f"smtpd[5]: {queue_id}: client=far[192.0.2.1]", **form),
        line(micros + 1000, f"cleanup[6]: {queue_id}: message-id=<{to}>", **form),
    ]


def sent(queue_id: str, to: str, micros: int, **form: bool) -> list[str]:
    """The lines of a message that is let through and delivered."""
    active = f"qmgr[7]: {queue_id}: from=<a@far.example>, size=9, nrcpt=1 (queue active)"
    attempt = (
        f"smtp[8]: {queue_id}: to=<{to}>, relay=h[192.0.2.9]:25, delay=0.9, delays=0/0/0/0, dsn=2.0.0, "
        "status=sent (250 ok)"
    )
    return [
        *received(queue_id, to, micros, **form),
        line(micros + 400_000, active, **form),
        line(micros + 500_000, attempt, **form),
        line(micros + 600_000, f"qmgr[7]: {queue_id}: removed", **form),
    ]


def refused(queue_id: str, to: str, micros: int, **form: bool) -> list[str]:
    """The lines of a message that the filter refuses for now."""
    text = f"cleanup[6]: {queue_id}: milter-reject: END-OF-MESSAGE from far[192.0.2.1]: 4.7.1 later; "
    return [
        *received(queue_id, to, micros, **form),
        line(micros + 400_000, f"{text}from=<a@far.example> to=<{to}> proto=ESMTP helo=<far>", **form),
    ]


def take_log(ingest: Ingest, lines: Sequence[str], *, at_once: int = 1) -> None:
    """Take the log in, so many lines a time."""
    for start in range(0, len(lines), at_once):
        data = "".join(f"{one}\n" for one in lines[start : start + at_once]).encode()
        ingest.take(log=Chunk(data, Position(first="l", offset=start + 1)), now=NOW)


def told(database: Database) -> list[tuple[str, dict[str, str], int]]:
    """Source, status by address and number of queue files of each message, by address."""
    found = []
    for message in records(database)["messages"]:
        statuses = {to: row["status"] for to, row in message["recipients"].items()}
        found.append((message["source"], statuses, len(message["legs"])))
    return sorted(found, key=lambda one: list(one[1]))


@pytest.mark.parametrize("at_once", [1, 100])
@pytest.mark.parametrize("pause", [0, 1, 3])
@pytest.mark.parametrize("fractions", [True, False])
@pytest.mark.parametrize("queue_id", [LONG, SHORT], ids=["long ID", "short ID"])
@pytest.mark.parametrize("verdict", ["accept", "defer"])
def test_the_log_comes_later(
    database: Database, queue_id: str, verdict: str, fractions: bool, pause: int, at_once: int
) -> None:
    ingest = Ingest(database, 0)
    entry = journal(queue_id, 77, 300_000, verdict, "x@own.example")
    ingest.take(journals={"journal:00": Chunk(entry, Position(first="j"))}, now=NOW)
    take_log(ingest, [line(0, "anvil[1]: statistics")] * pause)
    lines = (sent if verdict == "accept" else refused)(queue_id, "x@own.example", 0, fractions=fractions)
    take_log(ingest, lines, at_once=at_once)
    status = "delivered" if verdict == "accept" else "rejected"
    assert told(database) == [("milter", {"x@own.example": status}, 1)]


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("fractions", [True, False])
@pytest.mark.parametrize("first", ["accept", "defer"])
def test_a_short_id_used_twice_before_the_log_is_read(
    database: Database, first: str, fractions: bool, restart: bool
) -> None:
    again = 7_000_000
    entries = [
        journal(SHORT, 77, 300_000, first, "x@own.example"),
        journal(SHORT, 88, again + 300_000, "accept", "y@own.example"),
    ]
    ingest = Ingest(database, 0)
    for entry in entries:
        ingest.take(journals={"journal:00": Chunk(entry, Position(first="j"))}, now=NOW)
    lines = (sent if first == "accept" else refused)(SHORT, "x@own.example", 0, fractions=fractions)
    for one in [*lines, *sent(SHORT, "y@own.example", again, fractions=fractions)]:
        if restart:
            ingest = Ingest(database, 0)
        take_log(ingest, [one])
    status = "delivered" if first == "accept" else "rejected"
    assert told(database) == [
        ("milter", {"x@own.example": status}, 1),
        ("milter", {"y@own.example": "delivered"}, 1),
    ]


def test_journals_of_two_workers_in_either_order(database: Database) -> None:
    again = 7_000_000
    later = journal(SHORT, 88, again + 300_000, "accept", "y@own.example")
    earlier = journal(SHORT, 77, 300_000, "accept", "x@own.example")
    ingest = Ingest(database, 0)
    for entry in (later, earlier):
        ingest.take(journals={"journal:00": Chunk(entry, Position(first="j"))}, now=NOW)
    take_log(ingest, [*sent(SHORT, "x@own.example", 0), *sent(SHORT, "y@own.example", again)])
    assert [recipients for _, recipients, _ in told(database)] == [
        {"x@own.example": "delivered"},
        {"y@own.example": "delivered"},
    ]


def test_mail_before_the_filter_was_attached_keeps_its_short_id(database: Database) -> None:
    """A file of the log's own that ended is not what the filter saw half an hour later."""
    ingest = Ingest(database, 0)
    take_log(ingest, sent(SHORT, "x@own.example", 0))
    later = HOUR // 2
    entry = journal(SHORT, 88, later + 300_000, "accept", "y@own.example")
    ingest.take(journals={"journal:00": Chunk(entry, Position(first="j"))}, now=NOW)
    take_log(ingest, sent(SHORT, "y@own.example", later))
    assert told(database) == [
        ("log", {"x@own.example": "delivered"}, 1),
        ("milter", {"y@own.example": "delivered"}, 1),
    ]


@pytest.mark.parametrize("queue_id", [LONG, SHORT], ids=["long ID", "short ID"])
def test_the_queue_listing_is_ahead_of_the_log(database: Database, queue_id: str) -> None:
    ingest = Ingest(database, 0)
    waiting = (QueueRecipient("x@own.example", "busy"),)
    entry = QueueEntry("deferred", queue_id, BEGUN // 1_000_000, 9, "a@far.example", waiting)
    ingest.reconcile([entry], NOW)
    take_log(ingest, sent(queue_id, "x@own.example", 0))
    assert told(database) == [("log", {"x@own.example": "delivered"}, 1)]


@pytest.mark.parametrize("verdict", ["accept", "stall"])
def test_what_an_after_queue_filter_returns_through_the_filter(database: Database, verdict: str) -> None:
    """It stays one message, whose recipient stands where the second look put it."""
    back = "4jYpxP3gYXzFt4f"
    ingest = Ingest(database, 0)
    entry = journal(LONG, 77, 300_000, "accept", "x@own.example")
    ingest.take(journals={"journal:00": Chunk(entry, Position(first="j"))}, now=NOW)
    take_log(ingest, received(LONG, "x@own.example", 0))
    client = (
        f"smtpd[5]: {back}: client=localhost[127.0.0.1], orig_queue_id={LONG}, orig_client=far[192.0.2.1]"
    )
    take_log(
        ingest, [line(500_000, client), line(501_000, f"cleanup[6]: {back}: message-id=<x@own.example>")]
    )
    relayed = (
        f"smtp[8]: {LONG}: to=<x@own.example>, relay=127.0.0.1[127.0.0.1]:10024, delay=0.9, delays=0/0/0/0, "
        f"dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as {back})"
    )
    take_log(ingest, [line(700_000, relayed)])
    found = [] if verdict == "accept" else [{"kind": "macro", "part": "2/a.doc"}]
    entry = journal(back, 88, 600_000, verdict, "x@own.example", findings=found)
    ingest.take(journals={"journal:01": Chunk(entry, Position(first="k"))}, now=NOW)
    status = "queued" if verdict == "accept" else "stalled"
    assert told(database) == [("milter", {"x@own.example": status}, 2)]
    assert [(row.message_id, row.kind) for row in Finding.select()] == [(77, "macro")] * len(found)


@pytest.mark.parametrize("first_by", ["filter", "log"])
@pytest.mark.parametrize("at_once", [True, False], ids=["one batch", "a restart between"])
def test_the_filter_tells_of_what_an_after_queue_filter_returned_before_the_log_does(
    database: Database, first_by: str, *, at_once: bool
) -> None:
    """One message, whether the first of its files passed our filter or only what came back."""
    back = "4jYpxP3gYXzFt4f"
    ingest = Ingest(database, 0)
    first = journal(LONG, 77, 300_000, "accept", "x@own.example") if first_by == "filter" else b""
    found = {"kind": "encrypted-zip", "part": "2/a.zip"}
    second = journal(back, 88, 600_000, "stall", "x@own.example", findings=[found])
    if first_by == "log":
        take_log(ingest, received(LONG, "x@own.example", 0))
    ingest.take(journals={"journal:00": Chunk(first + second, Position(first="j"))}, now=NOW)
    if not at_once:
        ingest = Ingest(database, 0)
    lines = received(LONG, "x@own.example", 0) if first_by == "filter" else []
    client = f"smtpd[5]: {back}: client=localhost[127.0.0.1], orig_queue_id={LONG}"
    relayed = (
        f"smtp[8]: {LONG}: to=<x@own.example>, relay=127.0.0.1[127.0.0.1]:10024, delay=0.9, delays=0/0/0/0, "
        f"dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as {back})"
    )
    lines += [line(500_000, client), line(501_000, f"cleanup[6]: {back}: message-id=<x@own.example>")]
    lines += [line(700_000, relayed), line(701_000, f"qmgr[7]: {LONG}: removed")]
    take_log(ingest, lines)
    assert told(database) == [("milter", {"x@own.example": "stalled"}, 2)]
    assert [row.id for row in Message.select()] == [77 if first_by == "filter" else 88]
    assert [(row.message_id, row.kind) for row in Finding.select()] == [
        (77 if first_by == "filter" else 88, "encrypted-zip")
    ]


def test_what_was_returned_is_delivered_before_the_log_says_that_it_was_handed_over(
    database: Database,
) -> None:
    """Postfix's programs write at the same time; the order of their lines changes nothing."""
    back, to = "4jYpxP3gYXzFt4f", "x@own.example"
    client = f"smtpd[5]: {back}: client=localhost[127.0.0.1], orig_queue_id={LONG}"
    relayed = (
        f"smtp[8]: {LONG}: to=<{to}>, relay=127.0.0.1[127.0.0.1]:10024, delay=0.9, delays=0/0/0/0, "
        f"dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as {back})"
    )
    removed = line(800_000, f"qmgr[7]: {LONG}: removed")
    lines = [*received(LONG, to, 0), line(90_000, client), *sent(back, to, 100_000)[1:]]
    take_log(Ingest(database, 0), [*lines, line(790_000, relayed), removed])
    assert told(database) == [("log", {to: "delivered"}, 2)]


def test_a_second_beginning_that_was_kept_over_a_restart_stands_in_nobodys_way(database: Database) -> None:
    """As versions before this one left it in the state: the agent could not go on any more."""
    ingest = Ingest(database, 0)
    lines = refused(LONG, "x@own.example", 0)
    take_log(ingest, lines[:1])
    state, counts = ingest._cursors.load("log")
    entry = journal(LONG, 77, 300_000, "defer", "x@own.example")
    ingest.take(journals={"journal:00": Chunk(entry, Position(first="j"))}, now=NOW)
    database.execute_sql("UPDATE cursor SET state = ? WHERE name = '0:log'", (state,))
    take_log(Ingest(database, 0), lines[1:])
    assert told(database) == [("milter", {"x@own.example": "rejected"}, 1)]
    assert counts["not_understood"] == 0


def test_a_line_whose_rows_the_database_refuses_costs_no_other(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    database.execute_sql(
        "CREATE TRIGGER refuses BEFORE INSERT ON delivery WHEN new.reply LIKE '%unlucky%'"
        " BEGIN SELECT raise(ABORT, 'constraint of this test'); END"
    )
    lines: list[Any] = []
    for number in range(30):
        lines += sent(
            f"4jYpxP3g{'BCDFGHJKLMNPQRSTVWXYZbcdfghjkl'[number]}RzFt4d", f"u{number}@own.example", number
        )
    bad = [number for number, one in enumerate(lines) if "to=<u7@" in one or "to=<u21@" in one]
    for number in bad:
        lines[number] = lines[number].replace("250 ok", "250 unlucky\x1b")
    ingest = Ingest(database, 0)
    take_log(ingest, lines, at_once=1000)
    statuses = {to: status for _, recipients, _ in told(database) for to, status in recipients.items()}
    assert sum(status == "delivered" for status in statuses.values()) == 28
    counts: Any = ingest.counts
    assert (counts.read, counts.not_understood, len(counts.samples)) == (len(lines), 2, 2)
    assert (
        caplog.text.count("Left out: ") == 2 and "unlucky\\x1b" in caplog.text and "\x1b" not in caplog.text
    )
    position = ingest.position("log")
    assert position is not None and position.offset == 1
