"""An import beside another import, and beside the agent: nothing collides, and who must wait is told so."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from peewee import Database

from mailweir.config import load
from mailweir.errors import Unavailable
from mailweir.postlog.command import import_log
from mailweir.postlog.history import History, Source
from mailweir.postlog.position import Chunk, Position
from mailweir.records import db, import_lock, models
from mailweir.records.ingest import Ingest
from mailweir.records.ingest_import import Importer
from tests.harness.postgresql import PostgreSQL
from tests.unit.postlog_records import NOW, in_utc

HOLD = """
import sys
from mailweir.config import load
from mailweir.records.import_lock import one_import
with one_import(load(environ={"MAILWEIR_DATABASE_URL": sys.argv[1]}), 0):
    print("held", flush=True)
    sys.stdin.read()
"""
MAIL = """\
Nov  3 10:00:05 mail postfix/smtpd[1]: {0}: client=a.example[192.0.2.1]
Nov  3 10:00:05 mail postfix/cleanup[2]: {0}: message-id=<{0}@a.example>
Nov  3 10:00:05 mail postfix/qmgr[3]: {0}: from=<a@a.example>, size=500, nrcpt=1 (queue active)
Nov  3 10:00:05 mail postfix/smtp[4]: {0}: to=<b@b.example>, relay=b[192.0.2.2]:25, delay=0.1, delays=0/0/0/0.1, dsn=2.0.0, status=sent (250 ok)
Nov  3 10:00:05 mail postfix/qmgr[3]: {0}: removed
"""  # noqa: E501
OURS, THEIRS = "4jBhcP1p8tz2Ff6r", "4jBhcP1p9tz2Ff6r"  # of the same second


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database."""
    server: PostgreSQL | None = (
        request.getfixturevalue("postgresql") if request.param == "postgresql" else None
    )
    with in_utc():
        yield server.url if server else f"sqlite:///{tmp_path}/two.db"
    models.database.initialize(None)


def opened(url: str) -> Database:
    """The database."""
    return db.connect(load(environ={"MAILWEIR_DATABASE_URL": url}))


def log(path: Path, queue_id: str) -> Path:
    """One message's log."""
    path.write_text(MAIL.format(queue_id))
    return path


def test_one_import_at_a_time(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_lock, "PATIENCE", 0.2)
    past, config = str(log(tmp_path / "past.log", OURS)), load(environ={"MAILWEIR_DATABASE_URL": url})
    opened(url).close()
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout and holder.stdout.readline() == b"held\n"
        refused = CliRunner().invoke(import_log, [past], obj=config)
        assert isinstance(refused.exception, Unavailable)
        assert "another import for node 0" in str(refused.exception)
        other = CliRunner().invoke(import_log, [past, "--node", "1"], obj=config)
        assert other.exit_code == 0 and "1 sent" in other.output
        holder.send_signal(signal.SIGKILL)  # whatever ends it frees the lock
        holder.wait()
    monkeypatch.setattr(import_lock, "PATIENCE", 10.0)
    done = CliRunner().invoke(import_log, [past], obj=config)
    assert done.exit_code == 0 and "1 sent" in done.output


def test_an_import_between_two_turns_of_the_agent(url: str, tmp_path: Path) -> None:
    database = opened(url)
    agent = Ingest(database, 0)
    first = b"Nov  3 10:00:00 mail postfix/smtpd[1]: connect from a.example[192.0.2.1]\n"
    agent.take(log=Chunk(first, Position(first="l", offset=len(first))), now=NOW)
    past = log(tmp_path / "past.log", THEIRS)
    assert CliRunner().invoke(
        import_log, [str(past)], obj=load(environ={"MAILWEIR_DATABASE_URL": url})
    ).exit_code == 0  # fmt: skip
    more = MAIL.format(OURS).encode()
    agent.take(log=Chunk(more, Position(first="l", offset=len(first) + len(more))), now=NOW)
    rows = database.execute_sql("SELECT l.queue_id, d.status FROM delivery d JOIN leg l ON l.id = d.leg_id")
    assert sorted(rows.fetchall()) == [(OURS, 1), (THEIRS, 1)]
    database.close()


def test_the_same_mail_in_the_same_moment_is_told_and_goes_on(url: str, tmp_path: Path) -> None:
    database, past = opened(url), str(log(tmp_path / "past.log", OURS))
    more = MAIL.format(OURS).encode()

    def meanwhile() -> float:
        """The agent takes in the same lines from its own log, just before the import writes them."""
        if not database.execute_sql("SELECT count(*) FROM leg").fetchone()[0]:
            Ingest(database, 0).take(log=Chunk(more, Position(first="l", offset=len(more))), now=NOW)
        return NOW

    with pytest.raises(Unavailable, match="repeat the import"):
        Importer(database, 0).run(
            History([Source(past)], None), 100, lambda: opened(url), meanwhile, lambda *_: None
        )
    database.close()
    config = load(environ={"MAILWEIR_DATABASE_URL": url})
    assert CliRunner().invoke(import_log, [past], obj=config).exit_code == 0
