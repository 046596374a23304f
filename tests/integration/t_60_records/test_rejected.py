"""Refused attempts are found as by reading every row, on both databases, whichever way the search takes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import peewee
import pytest
from click.testing import CliRunner

from bench import records_rejects
from mailweir.config import Records
from mailweir.records import command, db, export, ids, models, purge, search, search_keys, search_where, texts
from mailweir.records.filters import REJECTED_FIELDS, Filter
from tests.integration.t_60_records.conftest import configured

NOW = 1_795_500_000.0
COUNT = 400


@pytest.fixture(scope="module")
def url(new_url: Callable[[], str]) -> str:
    """A database with refusals, most of them in the text index."""
    made = new_url()
    database = db.connect(configured(made))
    records_rejects.fill(database, COUNT, seed=3, now=NOW)
    texts.index_texts(database, COUNT * 2 // 3)
    database.close()
    return made


@pytest.fixture(params=["usual limits", "small limits"])
def opened(url: str, request: pytest.FixtureRequest) -> Iterator[peewee.Database]:
    """That database, searched in every way when limits are small."""
    database = db.connect(configured(url), migrate=False)
    _, *others = search_where.Way.__init__.__defaults__ or ()
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "small limits":
            for name, value in {"VERY_FEW": 2, "NAMED": 10, "PROBE": 15, "SECOND_PROBE": 30}.items():
                patch.setattr(search_keys, name, value)
            patch.setattr(search_where.Way.__init__, "__defaults__", (20, *others))
        yield database
    database.close()
    models.database.initialize(None)


def every(wanted: Filter, limit: int = 7) -> list[search.RejectRow]:
    """All pages."""
    found: list[search.RejectRow] = []
    below = None
    while True:
        page = search.rejected(wanted, below=below, limit=limit)
        assert not page.partial and len(page) <= limit
        found += page
        below = page.next
        if below is None:
            return found


def holds(row: search.RejectRow, f: Filter) -> bool:
    """What the filter asks, the obvious way."""
    sender, recipient = row.sender, row.recipient
    said = " ".join((row.reply, row.helo, row.client_name, sender or "", recipient or "")).lower()
    client = row.client_ip.startswith(f.client) if f.client.endswith((".", ":")) else (
        f.client in (row.client_ip, "") or (f.client[0].isalpha() and f.client.lower() in row.client_name)
    )  # fmt: skip
    return (
        client
        and f.helo.lower() in row.helo.lower()
        and (not f.sender or (sender is not None and f.sender.lower() in sender))
        and (not f.recipient or (recipient is not None and f.recipient.lower() in recipient))
        and (not f.code or str(row.code).startswith(f.code) or (row.dsn + ".").startswith(f.code + "."))
        and all(word in said for word in f.text.lower().split())
        and (f.node is None or row.node == str(f.node))
        and (f.after is None or row.time >= f.after)
        and (f.before is None or row.time < f.before)
        and (f.domains is None or (recipient or "").rpartition("@")[2] in f.domains)
    )


def test_every_filter_finds_what_reading_everything_finds(opened: peewee.Database) -> None:
    rows = every(Filter(), limit=500)
    assert len(rows) == COUNT and [row.id for row in rows] == sorted((row.id for row in rows), reverse=True)
    assert len({row.id for row in every(Filter())}) == COUNT
    some = rows[COUNT // 3]
    numbers = {row.reply.rpartition(" ")[2] for row in rows if row.dsn == "5.7.23"}
    asked = [
        Filter(client=some.client_ip), Filter(client="198.51."), Filter(client="2001:db8:"),
        Filter(client="192."), Filter(client="ISP1"), Filter(client="unknown", code="5"),
        Filter(helo="YLMF"), Filter(helo="pc", node=0), Filter(helo="no such"), Filter(helo="%"),
        Filter(helo="_"), Filter(sender="@odd.example"), Filter(sender="g1", recipient="guess2"),
        Filter(recipient="guess3"), Filter(recipient="nobody@x.example"),
        Filter(code="550"), Filter(code="5"), Filter(code="45"), Filter(code="5.7"), Filter(code="5.7.23"),
        Filter(code="5.1.1", client="unknown"), Filter(code="571"), Filter(text="User unknown"),
        Filter(text=next(iter(numbers))), Filter(text="xbl.example 203.0.113."), Filter(text="guess1"),
        Filter(text="un"), Filter(text="'; DROP TABLE reject; --"), Filter(node=7),
        Filter(after=NOW - 86_400 * 20), Filter(before=some.time, code="554"),
        Filter(domains=("far.example", "example.net")), Filter(domains=("example.org",), text="unknown"),
        Filter(domains=()),
    ]  # fmt: skip
    found = {wanted: [row.id for row in every(wanted)] for wanted in asked}
    assert found == {wanted: [row.id for row in rows if holds(row, wanted)] for wanted in asked}
    assert sum(map(bool, found.values())) > 20


def test_the_command_prints_them(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "RANGE", 7)

    def printed(*arguments: str) -> list[dict[str, Any]]:
        done = CliRunner().invoke(command.rejected, ["--json", *arguments], obj=configured(url))
        assert done.exit_code == 0, done.output
        return [json.loads(line) for line in done.output.splitlines()]

    db.connect(configured(url))
    rows = [row.as_dict() for row in every(Filter(), limit=500)]
    assert printed("--all") == rows
    assert printed() == rows[:50]
    assert printed("--all", "--code", "450") == [row for row in rows if row["code"] == 450]
    assert {row["sender"] for row in printed("--code", "450")} == {None}
    table = (
        CliRunner().invoke(command.rejected, ["--code", "450", "--limit", "1"], obj=configured(url)).output
    )
    assert "HELO" in table and "450 4.7.25" in table
    wrong = CliRunner().invoke(command.rejected, ["subject:x"], obj=configured(url))
    assert all(name in str(wrong.exception) for name in REJECTED_FIELDS)
    models.database.initialize(None)


def test_removed_refusals_leave_the_text_index(new_url: Callable[[], str]) -> None:
    database = db.connect(configured(new_url()))
    source = ids.IdSource(0, 0)
    for number in range(6):  # three within one second, so that they share the index's number
        key = source.next(int(1000 * (NOW + number // 3 * 86_400)))
        models.Reject.insert(id=key, node_id=0, reply=f"554 5.7.1 word{number}", helo="same").execute()
    while texts.index_texts(database, 100):
        pass
    settings = Records(keep_days=1.0, purge_batch=2)
    moment = NOW + 86_400 + 3_600
    assert purge.purge(database, settings, moment).rejects == 2
    while texts.index_texts(database, 100):
        pass
    assert len(every(Filter(text="word2"))) == 1  # it shares the number of those that are gone
    assert [purge.purge(database, settings, moment).rejects for _ in range(2)] == [1, 0]
    while texts.index_texts(database, 100):
        pass
    left = [[row.reply for row in every(Filter(text=f"word{number}"))] for number in range(6)]
    assert left == [[], [], [], *([f"554 5.7.1 word{number}"] for number in (3, 4, 5))]
    assert len(every(Filter(helo="same"))) == 3
    database.close()
    models.database.initialize(None)
