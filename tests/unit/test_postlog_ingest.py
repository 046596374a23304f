"""Journal, log and queue listing together, in whatever order they come."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from peewee import Database

from mailweir.errors import Unavailable
from mailweir.postlog.journald import DROPPED, Journald, as_line, of_postsuper
from mailweir.postlog.position import Chunk, Position
from mailweir.postlog.queue import QueueEntry, QueueRecipient, parse_listing
from mailweir.postlog.queue_id import arrival_us
from mailweir.records.ingest import Ingest
from tests.unit.postlog_records import INCIDENTS, in_utc, open_database, records

JOURNAL = next(INCIDENTS.glob("78-*.journal")).read_bytes()
LOG = next(INCIDENTS.glob("78-*.log")).read_bytes()
QUEUE_ID = json.loads(JOURNAL)["queue_id"]
ARRIVAL = json.loads(JOURNAL)["arrival_us"] / 1_000_000
NOW = ARRIVAL + 10


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An empty one."""
    with in_utc():
        opened = open_database(tmp_path / "ingest.db")
        yield opened
        opened.close()


def chunk(data: bytes, name: str = "l") -> Chunk:
    """As a follower would hand it on."""
    return Chunk(data, Position(first=name, offset=len(data)))


def statuses(database: Database) -> list[dict[str, str]]:
    """Status by address, for each message."""
    Ingest(database, 0).take(log=chunk(b"\n"), now=NOW)  # so that there are counts
    return [
        {address: row["status"] for address, row in message["recipients"].items()}
        for message in records(database)["messages"]
    ]


def test_journal_and_log_in_either_order_come_to_the_same(database: Database, tmp_path: Path) -> None:
    ingest = Ingest(database, 0)
    ingest.take(journals={"journal:00": chunk(JOURNAL, "j")}, now=NOW)
    ingest.take(log=chunk(LOG), now=NOW)
    late = open_database(tmp_path / "late.db")
    ingest = Ingest(late, 0)
    ingest.take(log=chunk(LOG), now=NOW)
    assert [message["source"] for message in records(late)["messages"]] == ["log"]
    ingest.take(journals={"journal:00": chunk(JOURNAL, "j")}, now=NOW)
    first, second = records(database)["messages"], records(late)["messages"]
    late.close()
    assert [message["source"] for message in second] == ["milter"]
    assert first[0]["recipients"] == second[0]["recipients"]
    assert [leg["attempts"] for leg in first[0]["legs"]] == [leg["attempts"] for leg in second[0]["legs"]]


def test_lines_counted_before_a_restart_count_after_it(database: Database) -> None:
    counted = Ingest(database, 0).take(log=chunk(LOG), now=NOW)
    assert counted.read > 3
    again = Ingest(database, 0)
    again.position("log")
    assert again.take(now=NOW) == counted


def test_a_journal_line_that_comes_again_replaces_the_first(database: Database) -> None:
    filtering = json.loads(JOURNAL) | {"event": "filtering"}
    ingest = Ingest(database, 0)
    ingest.take(journals={"journal:00": chunk(json.dumps(filtering).encode() + b"\n", "j")}, now=NOW)
    assert statuses(database) == [{"b@inside.example": "filtering", "c@inside.example": "filtering"}]
    for _ in range(2):
        ingest = Ingest(database, 0)
        ingest.take(journals={"journal:00": chunk(JOURNAL, "j")}, now=NOW)
        assert statuses(database) == [{"b@inside.example": "stalled", "c@inside.example": "stalled"}]
        assert database.execute_sql("SELECT count(*) FROM finding").fetchone()[0] == 1
        assert database.execute_sql("SELECT count(*) FROM attachment").fetchone()[0] == 1


def entry(queue: str, *recipients: tuple[str, str], queue_id: str = QUEUE_ID) -> QueueEntry:
    """One line of a listing."""
    return QueueEntry(
        queue, queue_id, ARRIVAL, 430, "a@src.example", tuple(QueueRecipient(*one) for one in recipients)
    )


def test_a_queue_file_nobody_told_of_becomes_a_message(database: Database) -> None:
    Ingest(database, 0).reconcile([entry("deferred", ("x@far.example", "host said no"))], NOW)
    assert statuses(database) == [{"x@far.example": "deferred"}]
    Ingest(database, 0).reconcile([entry("hold", ("x@far.example", "host said no"))], NOW)
    assert statuses(database) == [{"x@far.example": "stalled"}]


def test_pending_is_cleared_only_when_two_listings_miss_it(database: Database) -> None:
    ingest = Ingest(database, 0)
    ingest.take(journals={"journal:00": chunk(JOURNAL, "j")}, now=NOW)
    held = entry("hold", ("b@inside.example", ""), ("c@inside.example", ""))
    for listing in ([held], [], [held], []):
        ingest.reconcile(listing, NOW)
        assert set(statuses(database)[0].values()) == {"stalled"}
    ingest.reconcile([], NOW)
    assert set(statuses(database)[0].values()) == {"unknown"}


def test_the_log_has_the_last_word_after_a_listing(database: Database) -> None:
    ingest = Ingest(database, 0)
    ingest.take(journals={"journal:00": chunk(JOURNAL, "j")}, now=NOW)
    ingest.reconcile([], NOW)
    ingest.reconcile([], NOW)
    ingest.take(log=chunk(LOG), now=NOW)
    assert statuses(database) == [{"b@inside.example": "delivered", "c@inside.example": "failed"}]


def test_what_was_not_committed_can_be_given_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest = Ingest(database, 0)

    def fails(*_: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(ingest._cursors, "save", fails)
        with pytest.raises(Unavailable, match="disk full"):
            ingest.take(log=chunk(LOG), now=NOW)
    assert database.execute_sql("SELECT count(*) FROM leg").fetchone()[0] == 0
    ingest.take(log=chunk(LOG), now=NOW)
    assert statuses(database) == [{"b@inside.example": "delivered", "c@inside.example": "failed"}]
    assert ingest.counts.read == 8


def test_a_listing_with_damaged_and_hostile_lines() -> None:
    good = {"queue_name": "hold", "queue_id": "A", "arrival_time": 1, "sender": "a\0\udcff", "recipients": [
        {"address": "b", "delay_reason": "x\ny"}]}  # fmt: skip
    lines = [json.dumps(good).encode(), b"", b"{", b"[]", b'{"queue_name": 1}', b"\xff"]
    entries, bad = parse_listing(lines)
    assert [(one.sender, one.recipients[0].reason) for one in entries] == [("a\\x00\\udcff", "x\ny")]
    assert bad == 4


def test_a_bounce_is_from_the_null_sender_also_when_the_listing_comes_first(database: Database) -> None:
    bounce = "4jYpxP3gXRzFt4d"
    listed = {
        "queue_name": "active", "queue_id": bounce, "arrival_time": arrival_us(bounce) // 1_000_000,
        "message_size": 2445, "sender": "MAILER-DAEMON", "recipients": [{"address": "a@src.example"}],
    }  # fmt: skip
    ingest = Ingest(database, 0)
    ingest.reconcile(parse_listing([json.dumps(listed).encode()])[0], NOW)
    ingest.take(log=chunk(b"\n"), now=NOW)
    assert [message["sender"] for message in records(database)["messages"]] == [""]
    ingest.take(log=chunk((INCIDENTS / "02-bounced.log").read_bytes()), now=NOW)
    (message,) = records(database)["messages"]
    assert {leg["kind"]: leg.get("sender", message["sender"]) for leg in message["legs"]} == {
        "first": "a@src.example",
        "bounce": "",
    }


def journal_entry(message: Any, cursor: str = "s=1;i=1") -> bytes:
    """As `journalctl -o json` prints it."""
    values = {
        "__CURSOR": cursor, "__REALTIME_TIMESTAMP": "1795539860902974", "_HOSTNAME": "mail", "_PID": "77",
        "SYSLOG_IDENTIFIER": "postfix/qmgr", "SYSLOG_PID": "103", "MESSAGE": message,
    }  # fmt: skip
    return json.dumps(values).encode()


def test_an_entry_of_systemds_journal_becomes_a_line() -> None:
    line = "2026-11-24T17:04:20.902974+00:00 mail postfix/qmgr[103]: X: removed"
    assert as_line(journal_entry("X: removed")) == (line, "s=1;i=1")
    assert as_line(journal_entry(list(b"caf\xe9\0\n")))[0].endswith("]: caf\\xe9\\x00\\n")
    assert as_line(b"{}") == as_line(b"\xff") == ("", "")


def test_following_systemds_journal(tmp_path: Path) -> None:
    """journalctl is stood in for by a script: the entries are what the real one prints."""
    entries = tmp_path / "entries"
    entries.write_bytes(
        b"\n".join(journal_entry(f"{number}: removed", f"c{number}") for number in range(5)) + b"\n"
    )
    program = tmp_path / "journalctl"
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/arguments\ncat {entries}\nexec sleep 60\n')
    program.chmod(0o755)
    follower = Journald("postfix@-", besides=lambda: of_postsuper("postfix", 102), program=str(program))
    lines: list[bytes] = []
    while len(lines) < 5:
        lines += follower.read(2).lines
    follower.close()
    assert lines[4].endswith(b"postfix/qmgr[103]: 4: removed")
    assert follower.position.cursor == "c4"
    again = Journald(
        "postfix@-.service", Position.from_dict(follower.position.as_dict()), program=str(program)
    )
    while not again.read(10):
        pass
    again.close()
    first, second = (tmp_path / "arguments").read_text().splitlines()
    assert " _SYSTEMD_UNIT=postfix@-.service + " in first and "--after-cursor=c4 _SYSTEMD" in second
    assert first.endswith(" + SYSLOG_IDENTIFIER=postfix/postsuper _UID=102"), "it runs in the helper's unit"
    assert "postsuper" not in second


def test_lines_that_systemds_journal_dropped_are_told_of_for_a_day(tmp_path: Path) -> None:
    told = {"MESSAGE": "Suppressed 7 messages", "MESSAGE_ID": DROPPED, "N_DROPPED": "7"}
    entries = tmp_path / "entries"
    entries.write_bytes(
        b"\n".join(
            json.dumps(json.loads(journal_entry("x", f"c{number}")) | told).encode() for number in range(2)
        )
        + b"\n"
        + journal_entry(f"1: removed {DROPPED}", "c3")
        + b"\n"
    )
    program = tmp_path / "journalctl"
    program.write_text(f"#!/bin/sh\ncat {entries}\nexec sleep 60\n")
    program.chmod(0o755)
    now = 1000.0
    follower = Journald("postfix@-", program=str(program), clock=lambda: now)
    follower.check()
    while not (chunk := follower.read(10)):
        pass
    assert len(chunk.lines) == 1 and follower.position.cursor == "c3"
    with pytest.raises(Unavailable, match=r"dropped 14 lines of postfix@-\.service"):
        follower.check()
    now += 90_000
    follower.check()
    follower.close()
