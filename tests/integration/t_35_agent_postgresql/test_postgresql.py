"""What the agent asks of the database gives the same on PostgreSQL as on SQLite, where other tests run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from peewee import Database

from mailweir.agent import bulk, health, lifetimes
from mailweir.agent.command_rows import CommandRows
from mailweir.agent.entrusted import Entrusted
from mailweir.agent.health import Health
from mailweir.agent.notice_mail import NoticeMail
from mailweir.agent.notices import Outbox
from mailweir.agent.unlock import FAILED, ask, check_attempts
from mailweir.config import Config, Notices
from mailweir.config import Database as DatabaseSettings
from mailweir.errors import Refused
from mailweir.policies.scopes import PolicySet
from mailweir.records import audit, db, models
from mailweir.records.models import Command, Cursor, Node, Notice, Sealed
from mailweir.records.search import Filter
from mailweir.records.words import CommandState, Status
from tests.harness.postgresql import PostgreSQL
from tests.unit import test_agent_records as shared
from trial.processes import Processes

DAY = 86_400.0
test_one_command_for_each_queue_file_concerned = shared.test_one_command_for_each_queue_file_concerned
test_clicks_at_the_same_instant_ask_once = shared.test_clicks_at_the_same_instant_ask_once
test_what_cannot_be_asked_for = shared.test_what_cannot_be_asked_for
test_what_needs_a_scan_waits_for_room_and_nothing_else_does = (
    shared.test_what_needs_a_scan_waits_for_room_and_nothing_else_does
)
test_rows_cut_off_at_the_end_of_the_audit_trail_are_missed = (
    shared.test_rows_cut_off_at_the_end_of_the_audit_trail_are_missed
)
test_what_is_through_is_refused = shared.test_what_is_through_is_refused
test_a_changed_audit_row_is_found = shared.test_a_changed_audit_row_is_found
test_the_snapshot_is_what_the_tables_say = shared.test_the_snapshot_is_what_the_tables_say


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Config]:
    """A running PostgreSQL below a directory that its user can enter."""
    import shutil
    import tempfile

    state = Path(tempfile.mkdtemp(prefix="mw-", dir="/var/tmp"))
    state.chmod(0o755)
    processes = Processes(state / "run")
    server = PostgreSQL(state / "pg", processes)
    server.start()
    yield Config(
        state_dir=str(state / "mailweir"),
        database=DatabaseSettings(url=server.url),
        notices=Notices(administrators=["postmaster@ours.example"]),
    )
    server.stop()
    shutil.rmtree(state)


@pytest.fixture
def database(config: Config) -> Iterator[Database]:
    database = db.connect(config)
    for model in models.ALL:
        model.delete().execute()
    shared.fill()
    yield database
    database.close()


def time_of_message() -> float:
    return (shared.MESSAGE >> 20) / 1000


def test_lifetimes_ask_once(database: Database) -> None:
    now = time_of_message() + 8 * DAY
    asked = [
        lifetimes.enforce(database, 0, PolicySet.default(), now + late, lambda: now) for late in (0, 60, 3600)
    ]
    assert asked == [2, 0, 2]
    assert {row.by_user for row in Command.select()} == {"mailweir"}


def test_the_outbox(config: Config, database: Database) -> None:
    models.Recipient.update(verdict="stall").execute()
    models.Finding.create(message_id=shared.MESSAGE, kind="macro", part="2")
    now = time_of_message() + 10
    assert Outbox(config, database, lambda: now).write(PolicySet.default()) == 1
    assert Outbox(config, database, lambda: now + 301).write(PolicySet.default()) == 0
    assert "macro" in Notice.get().body
    Notice.update(sent=now).execute()
    assert NoticeMail(config).mark(now) == 0, "the log has not told of it"
    mail = NoticeMail(config).message_id(Notice.get().key)
    models.Message.create(
        id=shared.MESSAGE + (20 << 20) * 1000, node_id=0, source=2, sender_id=1, message_id=mail
    )
    assert NoticeMail(config).mark(now) == 1
    models.Message.delete().where(models.Message.message_id == mail).execute()
    assert len(bytes(Cursor.get().state)) == 8


def test_bulk_progress_and_health(config: Config, database: Database) -> None:
    asked = list(
        bulk.request_matching(
            Filter(), action="delete", user="anna", ip="", reason="", key="k", clock=lambda: 5.0
        )
    )
    assert [(one.message_id, one.address, len(one.commands)) for one in asked] == [(shared.MESSAGE, None, 2)]
    assert bulk.progress("k") == {CommandState.REQUESTED: 2}
    held = Filter(status=(Status.STALLED,))
    asked = list(
        bulk.request_matching(held, action="force", user="a", ip="", reason="x", key="f", clock=lambda: 5.0)
    )
    assert [(one.address, len(one.commands)) for one in asked] == [("one@ours.example", 1)]
    for now in (1.0, 2.0):
        Health(problems={"x": "y"}).report(config, now)
    assert (Node.get().seen, json.loads(Node.get().health)["problems"]) == (2.0, {"x": "y"})
    assert health.last(config)["problems"] == {"x": "y"}


def test_wrong_passwords_are_counted(config: Config, database: Database) -> None:
    for _ in range(config.agent.unlock_attempts):
        check_attempts(config, shared.MESSAGE, 100.0)
        audit.append(
            database, clock=lambda: 90.0, who="a", ip="", what=FAILED, message_id=shared.MESSAGE, detail={}
        )
    with pytest.raises(Refused):
        check_attempts(config, shared.MESSAGE, 100.0)
    check_attempts(config, shared.MESSAGE, 3700.0)


def test_a_sealed_password(config: Config, database: Database) -> None:
    passwords, rows = Entrusted(config), CommandRows(database, 0, lambda: 5.0)
    Node.update(seen=5.0).execute()
    who = {"user": "anna", "ip": "", "clock": lambda: 5.0}
    ask(config, message_id=shared.MESSAGE, address=None, password="open sesame", **who)  # type: ignore[arg-type]
    (command,) = rows.take(1)
    assert passwords.take(command) == "open sesame"
    rows.finish([(command, CommandState.DONE, "released")])
    assert Sealed.select().count() == 0
