"""Random and mutated log lines, journal lines and queue listings never stop reading, and never grow memory.

`MAILWEIR_FUZZ_SECONDS` sets how long the mutations go on.
"""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailweir.postlog import journal, lines
from mailweir.postlog.book import MOST_LEGS, MOST_RECEIVING
from mailweir.postlog.changes import DELIVERY
from mailweir.postlog.events import Attempt
from mailweir.postlog.queue import parse_listing
from mailweir.postlog.stamps import Stamps
from mailweir.postlog.track import Tracker
from tests.unit.postlog_records import INCIDENTS

SECONDS = float(os.environ.get("MAILWEIR_FUZZ_SECONDS", "60"))
REFERENCE = 1_798_761_600.0
PIECES = [
    ": to=<", ">, relay=", ", status=sent (", "orig_to=<", ": removed", ": client=", "]: ", "[", "postfix/",
    "NOQUEUE: reject: RCPT from ", "forwarded as ", "queued as ", "; from=<", "> to=<", "\\", '"', "\0",
    "\udcff", "é", "\x1b", "status=expired", "orig_id=", "milter-hold: ", "> ", "< ", "AUTH PLAIN ", "334 ",
    "-1", "nrcpt=", "Feb 29 ", "9" * 40,
]  # fmt: skip


def recorded() -> list[str]:
    """All lines of the incidents."""
    return [
        line
        for log in sorted(INCIDENTS.glob("[0-9]*.log"))
        for line in log.read_text("utf-8", "backslashreplace").split("\n")
        if line
    ]


def mutated(line: str, source: random.Random, others: list[str]) -> str:
    """The line with a few things done to it."""
    for _ in range(source.randrange(1, 4)):
        at, end = sorted(source.randrange(len(line) + 1) for _ in range(2))
        match source.randrange(6):
            case 0:
                line = line[:at] + source.choice(PIECES) + line[at:]
            case 1:
                line = line[:at] + line[end:]
            case 2:
                line = line[:at] + line[at:end] * 3 + line[end:]
            case 3:
                line = line[:at] + source.choice(others)[at:]
            case 4:
                line = line[:at] + chr(source.randrange(0x110000 - 0x900)) + line[at:]
            case _:
                line = line[:30] + line[:at]
    return line


def test_mutated_lines_in_any_order() -> None:
    source = random.Random(20261124)
    known = recorded()
    tracker, counts, stamps = Tracker(0), lines.Counts(), Stamps(REFERENCE)
    deadline = time.monotonic() + SECONDS
    rounds = 0
    while time.monotonic() < deadline:
        rounds += 1
        batch = [
            line if source.random() < 0.5 else mutated(line, source, known)
            for line in source.choices(known, k=500)
        ]
        events = lines.read(batch, stamps, counts)
        for event in events:
            if isinstance(event, Attempt):
                assert event.status and event.delay >= 0
        tracker.feed(events)
        changes = tracker.flush()
        assert all(len(row) == len(DELIVERY) for row in changes.deliveries)
        json.dumps(tracker.state())
        assert len(tracker.book.receiving) <= MOST_RECEIVING
        assert len(tracker.book.legs) <= MOST_LEGS + MOST_RECEIVING
    assert rounds > 5
    assert counts.read == counts.understood + counts.ignored + counts.not_understood
    assert counts.not_understood and counts.understood


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.text(max_size=300), max_size=20))
def test_random_text(texts: list[str]) -> None:
    counts = lines.Counts()
    tracker = Tracker(0)
    tracker.feed(lines.read(texts, Stamps(REFERENCE), counts))
    tracker.flush()
    assert counts.read == len(texts)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=400))
def test_anything_may_stand_in_a_reply(reply: str) -> None:
    """Whatever a receiving server says, the line is about the recipient that Postfix names."""
    told = reply.replace("\n", "?")
    line = (
        "Nov 24 17:00:00 mail postfix/smtp[1]: 4jYpxM6Fj9zFt67: to=<ok@far.example>, relay=mx[192.0.2.1]:25, "
        f"delay=1.5, delays=0/0/1/0.5, dsn=5.1.1, status=bounced (host mx[192.0.2.1] said: {told})"
    )
    (event,) = lines.read([line], Stamps(REFERENCE), lines.Counts())
    assert isinstance(event, Attempt)
    assert (event.recipient, event.relay, event.status) == ("ok@far.example", "mx[192.0.2.1]:25", "bounced")
    assert event.reply == f"host mx[192.0.2.1] said: {told}"


NAMES = ["v", "event", "id", "queue_id", "recipients", "time"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(NAMES), inner),
)


@settings(max_examples=200, deadline=None)
@given(JSON)
def test_any_json_in_journal_and_listing(value: object) -> None:
    line = json.dumps(value).encode()
    tracker = Tracker(0)
    good, bad = journal.take(tracker.book, [line, b"{", b"\xff"])
    assert good + bad <= 3
    entries, bad = parse_listing([line, b"{"])
    assert bad >= 1 and len(entries) <= 1


def test_the_suite_has_lines_to_mutate() -> None:
    assert len(recorded()) > 500 and Path(INCIDENTS).is_dir()
