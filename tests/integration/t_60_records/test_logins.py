"""The buckets of log-in attempts on both databases: shared, exact under concurrency, and few."""

from __future__ import annotations

import threading

import peewee
import pytest

from mailweir.records import logins, models
from mailweir.records.logins import Rate
from mailweir.records.models import LoginAddress, LoginThrottle

RATE = Rate(10, 60.0)


def test_the_tables_stay_small(database: peewee.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logins, "MOST", 50)
    for number in range(200):
        assert logins.count(database, f"name:{number}", RATE, 1000.0 + number / 1000) == 0.0
    assert LoginThrottle.select().count() <= 50
    logins.count(database, "ip:later", RATE, 5000.0)
    assert [row.name for row in LoginThrottle.select()] == ["ip:later"]
    for number in range(3 * logins.ADDRESSES):
        logins.remember(database, 1, f"192.0.2.{number}", 1000.0 + number)
    kept = {row.address for row in LoginAddress.select()}
    assert len(kept) == logins.ADDRESSES and "192.0.2.59" in kept
    logins.remember(database, 2, "192.0.2.1", 1000.0 + 2 * logins.KNOWN)
    assert [row.user_id for row in LoginAddress.select()] == [2]


def test_of_many_at_once_no_more_get_through(database: peewee.Database) -> None:
    admitted: list[bool] = []

    def guess() -> None:
        models.database.connect(reuse_if_open=True)
        admitted.append(logins.count(models.database.obj, "name:x", RATE, 1000.0) == 0.0)
        models.database.close()

    threads = [threading.Thread(target=guess) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(admitted) == 30 and sum(admitted) == 10


def test_a_waiting_time_is_told_and_true(database: peewee.Database) -> None:
    for _ in range(10):
        assert logins.count(database, "name:x", RATE, 1000.0) == 0.0
    wait = logins.count(database, "name:x", RATE, 1000.0)
    assert wait == pytest.approx(6.0)
    assert logins.count(database, "name:x", RATE, 1000.0 + wait - 0.1) > 0
    assert logins.count(database, "name:x", RATE, 1000.0 + wait) == 0.0
