"""No list and no figure reads a whole table: every statement's plan in SQLite goes by an index, or by ID.

Plans do not depend on how much there is (nobody runs ANALYZE), so a small database shows them.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator

import pytest

from bench.records_data import fill
from bench.records_rejects import fill as fill_rejects
from mailweir.records import db, figures, groups, ids, models, search, search_addresses, search_keys, texts
from mailweir.records.filters import Filter
from mailweir.records.models import Address, Message
from mailweir.records.words import Direction, Outcome, Status
from tests.integration.t_60_records.conftest import configured

NOW = 1_795_500_000.0
BIG = "message|recipient|leg|delivery|session|reject|address|finding|attachment"
SCAN = re.compile(rf"SCAN (m|r|t|d|x|y|w|a|s|l|k|f|e|{BIG})( USING (COVERING )?INDEX \w+)?$")
LIMITED = ("example.org",)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """A connection to a small database with its text index."""
    database = db.connect(configured(f"sqlite:///{tmp_path_factory.mktemp('plans')}/records.db"))
    fill(database, 200, seed=5, now=NOW)
    fill_rejects(database, 100, seed=5, now=NOW)
    while texts.index_texts(database, 300):
        pass
    database.execute_sql("DROP TABLE IF EXISTS sqlite_stat1")
    database.close()  # what ANALYZE found is read when a connection opens
    database.connect()
    yield database.connection()
    database.close()
    models.database.initialize(None)


@pytest.fixture(params=["few addresses", "too many addresses"])
def connection(
    filled: sqlite3.Connection, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> sqlite3.Connection:
    """The same, also where a domain has more addresses than a statement can name."""
    if request.param == "too many addresses":
        monkeypatch.setattr(search_addresses, "MOST", 1)
    monkeypatch.setattr(search_keys, "PROBE", 5)
    monkeypatch.setattr(search_keys, "SECOND_PROBE", 5)
    return filled


def filters() -> dict[str, Filter]:
    """Each field by itself, and some together."""
    message = Message.select().order_by(Message.id.desc()).limit(1).get()
    address = Address.get_by_id(message.sender_id).address or "anna@example.org"
    domain = "@" + address.rpartition("@")[2]
    return {
        "everything": Filter(),
        "sender": Filter(sender=address),
        "recipient": Filter(recipient=address),
        "sender's domain": Filter(sender=domain),
        "recipient's domain": Filter(recipient=domain),
        "domain and below": Filter(recipient="." + domain[1:]),
        "subject": Filter(subject="invoice"),
        "one word": Filter(text="invoice"),
        "two words": Filter(text="invoice anna"),
        "status": Filter(status=(Status.FAILED, Status.STALLED)),
        "outcome": Filter(outcome=(Outcome.BOUNCED,), status=(Status.FAILED,)),
        "direction": Filter(direction=(Direction.OUTBOUND,)),
        "ip": Filter(ip="192.0.2."),
        "queue": Filter(queue_id="4Zq"),
        "id": Filter(id=message.id),
        "header": Filter(message_id="<x@y>"),
        "file": Filter(file="zip"),
        "verdict": Filter(verdict="stall"),
        "together": Filter(recipient=domain, text="invoice", after=NOW - 86_400, before=NOW),
    }


def plans(connection: sqlite3.Connection, work: Callable[[], object]) -> list[str]:
    """The steps of every statement that the work runs, which read a big table from one end to the other."""
    asked: list[str] = []
    connection.set_trace_callback(asked.append)
    try:
        work()
    finally:
        connection.set_trace_callback(None)
    found = []
    for statement in dict.fromkeys(asked):
        if statement.startswith(("SELECT", "WITH")):
            for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {statement}"):
                if SCAN.match(step):
                    found.append(f"{step} in {statement}")
    return found


@pytest.mark.parametrize("limits", [None, LIMITED], ids=["all", "limited"])
@pytest.mark.parametrize("name", ["mail_in", "pending", "delivery", "quarantine", "rejected"])
def test_no_list_reads_a_whole_table(
    connection: sqlite3.Connection, name: str, limits: tuple[str, ...] | None
) -> None:
    look = getattr(search, name)
    for what, wanted in filters().items():
        asked = search.with_domains(wanted, limits)
        assert plans(connection, lambda: look(asked)) == [], what  # noqa: B023


@pytest.mark.parametrize("limits", [(), LIMITED], ids=["all", "limited"])
def test_no_figure_reads_a_whole_table(connection: sqlite3.Connection, limits: tuple[str, ...]) -> None:
    first, last = (ids.first_id(int((NOW - age) * 1000)) for age in (86_400, 0))
    for work in (
        lambda: figures.by_status(first, last, limits),
        *(
            lambda status=status: figures.waiting(status, limits, 100)
            for status in (Status.STALLED, Status.QUEUED)
        ),
        lambda: figures.newest(Status.FAILED, first, limits, 100),
        lambda: figures.with_findings(first, limits, 100),
        *(lambda by=by: groups.grouped(by, limits, 100) for by in groups.BY),
    ):
        assert plans(connection, work) == []


def test_a_domain_without_mail_is_found_out_by_its_addresses(
    filled: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_keys, "PROBE", 5)  # there are few messages here
    filled.executemany(
        "INSERT INTO address (address, folded, domain_reversed) VALUES (?, ?, 'elpmaxe.enon')",
        [(f"{n}@none.example", f"{n}@none.example") for n in range(3 * search_addresses.MOST)],
    )
    asked: list[str] = []
    filled.set_trace_callback(asked.append)
    page = search.mail_in(Filter(recipient="@none.example"), budget=60.0)
    filled.set_trace_callback(None)
    assert (page.rows, page.next, page.partial) == ((), None, False)
    steps = [
        step
        for statement in asked
        if "CROSS JOIN recipient" in statement
        for *_, step in filled.execute(f"EXPLAIN QUERY PLAN {statement}")
    ]
    assert any("USING INDEX address_domain" in step or "INDEX address_domain" in step for step in steps)
    assert any("recipient_address" in step for step in steps)
    assert len(asked) < 12, "not window by window through all that there is"


def test_the_check_itself_sees_a_whole_table(filled: sqlite3.Connection) -> None:
    assert plans(filled, lambda: filled.execute("SELECT id FROM message m WHERE m.helo = 'x'").fetchall())
    assert plans(filled, lambda: filled.execute("SELECT count(*) FROM recipient").fetchall())
