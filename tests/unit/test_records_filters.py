"""What people type, and what forms send, becomes the Filter they meant, or an error that says what to do."""

from __future__ import annotations

from datetime import timedelta, timezone

import pytest

from mailweir.errors import InputError
from mailweir.records import ids
from mailweir.records.filters import FIELDS, Filter, from_fields, moment, parse
from mailweir.records.words import Direction, Outcome, Status

NOW = 1_795_521_900.0  # 2026-11-24T12:05:00Z
DAY = 86_400
MIDNIGHT = NOW - 12 * 3600 - 5 * 60


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("", Filter()),
        ("   ", Filter()),
        ("invoice", Filter(text="invoice")),
        ("invoice march", Filter(text="invoice march")),
        ('"two words" three', Filter(text='"two words" three')),
        ("from:anna@ to:.example.org", Filter(sender="anna@", recipient=".example.org")),
        ('subject:"a b" x', Filter(subject="a b", text="x")),
        ("status:deferred", Filter(status=(Status.DEFERRED,), outcome=(Outcome.DEFERRED,))),
        ("status:fail,Stalled", Filter(status=(Status.FAILED, Status.STALLED))),
        ("status:bounced", Filter(outcome=(Outcome.BOUNCED,))),
        ("direction:inbound,internal", Filter(direction=(Direction.INBOUND, Direction.INTERNAL))),
        ("queue:4gXyZ1 ip:192.0.2.", Filter(queue_id="4gXyZ1", ip="192.0.2.")),
        (f"id:{ids.to_text(1 << 60)}", Filter(id=1 << 60)),
        (
            "message-id:<a@b> file:x.zip verdict:STALL",
            Filter(message_id="<a@b>", file="x.zip", verdict="stall"),
        ),
        ("sender:a recipient:b queue-id:c", Filter(sender="a", recipient="b", queue_id="c")),
        ("node:3 after:2d", Filter(node=3, after=NOW - 2 * DAY)),
        ("from:", Filter()),
        ("http://x re:order 12:30", Filter(text="http://x re:order 12:30")),
        ("it's", Filter(text="it's")),
        ("from:\udcff\0", Filter(sender="\\udcff\\x00")),
    ],
)
def test_parse(query: str, wanted: Filter) -> None:
    assert parse(query, now=NOW) == wanted


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ('"open', "quotation mark"),
        ("from:a from:b", "from stands twice"),
        ("status:lost", "'lost' is none of filtering, stalled"),
        ("direction:up", "'up' is none of inbound, outbound, internal"),
        ("id:nothing!", "not a Mail In ID"),
        ("verdict:maybe", "none of accept, stall"),
        ("before:soon", "write 2026-11-24"),
        ("before:99999999-01-01", "no date"),
        ("node:256", "number from 0 to 255"),
        ("node:²", "number from 0 to 255"),
        ("before:3d after:2d", "before must be later"),
        ("subject:" + "x" * 1001, "longer than 1000"),
        ("x" * 1001, "longer than 1000"),
    ],
)
def test_bad_queries(query: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        parse(query, now=NOW)


def test_fields_beside_the_query() -> None:
    both = parse("invoice from:a", now=NOW, also={"to": "b", "subject": " ", "text": "march"})
    assert both == Filter(sender="a", recipient="b", text="invoice march")
    with pytest.raises(InputError, match="from stands twice"):
        parse("from:a", now=NOW, also={"sender": "b"})


def test_fields() -> None:
    assert from_fields(dict.fromkeys(FIELDS, ""), now=NOW) == Filter()
    with pytest.raises(InputError, match="no search field 'colour'"):
        from_fields({"colour": "red"}, now=NOW)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-11-24", MIDNIGHT),
        ("2026-11-24T12:05", NOW),
        ("2026-11-24 12:05:00", NOW),
        ("2026-11-24T13:05+01:00", NOW),
        ("2026-11-24T12:05:00Z", NOW),
        ("today", MIDNIGHT),
        ("Yesterday", MIDNIGHT - DAY),
        ("90m", NOW - 5400),
        ("12 h", NOW - 43_200),
        ("1w", NOW - 7 * DAY),
    ],
)
def test_moments(text: str, seconds: float) -> None:
    assert moment(text, now=NOW) == seconds


def test_moments_in_a_zone() -> None:
    zone = timezone(timedelta(hours=14))
    assert moment("2026-11-24", now=NOW, zone=zone) == MIDNIGHT - 14 * 3600
    assert moment("today", now=NOW, zone=zone) == MIDNIGHT + 10 * 3600  # there it is the 25th already
