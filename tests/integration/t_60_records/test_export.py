"""`--all` on both databases: every row once, as page by page, and no snapshot held for a slow reader."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import peewee
import pytest

from bench import records_rejects
from bench.records_data import fill
from mailweir.records import export, search, sql
from mailweir.records.filters import Filter
from mailweir.records.migrations.dialect import is_sqlite

NOW = 1_795_500_000.0


def same(rows: Iterator[dict[str, Any]], expected: list[dict[str, Any]]) -> bool:
    """Whether they are the same as JSON."""
    return json.loads(json.dumps(list(rows))) == json.loads(json.dumps(expected))


def test_all_is_what_the_pages_show(database: peewee.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANGE": 7, "WIDER": 3}.items():
        monkeypatch.setattr(export, name, value)
    monkeypatch.setattr(sql, "STREAMED", 5)
    fill(database, 120, seed=5, now=NOW)
    records_rejects.fill(database, 100, seed=5, now=NOW)
    everything = Filter()
    messages = [row for message in search.mail_in(everything, limit=1000) for row in message.per_recipient()]
    assert same(export.mail_in(everything), messages) and len(messages) > 120
    attempts = [row.as_dict() for row in search.delivery(everything, limit=1000)]
    assert same(export.delivery(everything), attempts) and len(attempts) > 100
    assert same(export.pending(everything), [row.as_dict() for row in search.pending(everything, limit=1000)])
    assert same(
        export.rejected(everything), [row.as_dict() for row in search.rejected(everything, limit=1000)]
    )
    after = Filter(after=NOW - 30 * 86_400, before=NOW - 86_400)
    some = [row.as_dict() for row in search.delivery(after, limit=1000)]
    assert same(export.delivery(after), some) and 0 < len(some) < len(attempts)


def test_a_slow_reader_holds_nothing(database: peewee.Database) -> None:
    fill(database, 50, seed=5, now=NOW)
    reading = export.delivery(Filter())
    first = next(reading)
    if not is_sqlite(database):
        assert database.connection().info.transaction_status.name == "IDLE"
    database.execute_sql("DELETE FROM delivery")  # nobody waits, and what was being read is still whole
    assert len([first, *reading]) > 40
