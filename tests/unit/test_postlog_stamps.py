"""Times of log lines: years that are not written, new year, clock changes, zones, odd lines."""

from __future__ import annotations

import calendar
import os
import time
from collections.abc import Iterator

import pytest

from mailweir.postlog.stamps import Stamps


def utc(*fields: int) -> float:
    """Seconds since 1970 of a moment in UTC."""
    return float(calendar.timegm((*fields, 0, 0, 0, 0)[:6]))


@pytest.fixture
def zone() -> Iterator[None]:
    """Local time of a place that changes its clocks."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Europe/Berlin"
    time.tzset()
    yield
    os.environ.pop("TZ")
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


@pytest.fixture(autouse=True)
def in_utc(request: pytest.FixtureRequest) -> Iterator[None]:
    """UTC, unless a test asks for the zone."""
    if "zone" in request.fixturenames:
        yield
        return
    before = os.environ.get("TZ")
    os.environ["TZ"] = "UTC"
    time.tzset()
    yield
    os.environ.pop("TZ")
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


def times(stamps: Stamps, *lines: str) -> list[float]:
    """The lines' times."""
    return [stamps.read(line + " mail x[1]: y")[1] for line in lines]


def test_the_year_of_the_first_line_is_the_last_one_before_the_reference() -> None:
    assert times(Stamps(utc(2026, 3, 1)), "Feb 27 10:00:00") == [utc(2026, 2, 27, 10)]
    assert times(Stamps(utc(2026, 3, 1)), "Nov 24 10:00:00") == [utc(2025, 11, 24, 10)]
    assert times(Stamps(utc(2026, 3, 1)), "Feb 29 10:00:00") == [utc(2024, 2, 29, 10)]


def test_new_years_night_with_a_late_line_of_the_old_year() -> None:
    found = times(
        Stamps(utc(2027, 1, 1, 12)),
        "Dec 31 23:59:59",
        "Jan  1 00:00:01",
        "Dec 31 23:59:59",
        "Jan  1 00:00:02",
    )
    assert found == [
        utc(2026, 12, 31, 23, 59, 59),
        utc(2027, 1, 1, 0, 0, 1),
        utc(2026, 12, 31, 23, 59, 59),
        utc(2027, 1, 1, 0, 0, 2),
    ]


def test_one_odd_line_does_not_move_the_year() -> None:
    stamps = Stamps(utc(2026, 12, 1))
    found = times(stamps, "Jul 15 10:00:00", "Dec 31 10:00:00", "Jul 15 10:01:00", "Jul 15 10:02:00")
    assert found[0] == utc(2026, 7, 15, 10) and found[2:] == [
        utc(2026, 7, 15, 10, 1),
        utc(2026, 7, 15, 10, 2),
    ]


def test_the_repeated_hour_of_autumn(zone: None) -> None:
    clock = ["01:59:00", "02:30:00", "02:59:59", "02:00:00", "02:10:00", "02:45:00", "03:00:00"]
    found = times(Stamps(utc(2026, 12, 1)), *(f"Oct 25 {hour}" for hour in clock))
    assert found == sorted(found)
    assert found[-1] - found[0] == 2 * 3600 + 60


def test_the_missing_hour_of_spring(zone: None) -> None:
    found = times(Stamps(utc(2026, 12, 1)), "Mar 29 01:59:59", "Mar 29 03:00:00")
    assert found[1] - found[0] == 1


def test_steps_back_are_counted() -> None:
    stamps = Stamps(utc(2026, 12, 1))
    times(stamps, "Nov  3 10:00:00", "Nov  3 09:59:58", "Nov  3 09:00:00", "Nov  3 09:00:01")
    assert stamps.steps_back == 1


@pytest.mark.parametrize(
    ("stamp", "seconds"),
    [
        ("2026-11-03T10:00:00Z", utc(2026, 11, 3, 10)),
        ("2026-11-03T10:00:00.25+01:00", utc(2026, 11, 3, 9) + 0.25),
        ("2026-11-03T04:00:01.123456789-05:00", utc(2026, 11, 3, 9) + 1.123456789),
        ("2026-11-03t10:00:00z", utc(2026, 11, 3, 10)),
    ],
)
def test_rfc3339(stamp: str, seconds: float) -> None:
    text, when = Stamps(0).read(f"{stamp} mail postfix/qmgr[1]: x")
    assert text == stamp + " " and when == pytest.approx(seconds, abs=1e-6)


@pytest.mark.parametrize(
    "line",
    ["", "x", "Nov 31 10:00:00 m x[1]: y", "Foo  3 10:00:00 m x[1]: y", "Nov  3 10:00:00",
     "Nov  3 10.00.00 mail", "9998-01-01T00:00:00Z mail x[1]: y", "9999-99-99T00:00:00Z x",
     "1969-01-01T00:00:00Z mail"],
)  # fmt: skip
def test_what_is_no_stamp(line: str) -> None:
    assert Stamps(utc(2026, 12, 1)).read(line)[0] == ""
