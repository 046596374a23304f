"""A database is made, brought up to date and refused as it should be, on SQLite and on PostgreSQL."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import peewee
import pytest

from mailweir.config import Config, Database
from mailweir.errors import ConfigError, Unavailable
from mailweir.records import db, models, schema
from mailweir.records.migrations.dialect import is_sqlite
from tests.harness.postgresql import PostgreSQL
from tests.integration.t_60_records.conftest import configured


def test_models_and_tables_agree(database: peewee.Database) -> None:
    made = set(database.get_tables())
    for model in models.ALL:
        meta = model._meta
        columns = {column.name: column for column in database.get_columns(meta.table_name)}
        assert set(columns) == set(meta.columns), meta.table_name
        for name, field in meta.columns.items():
            assert columns[name].null is field.null, (meta.table_name, name)
        unique = {tuple(index.columns) for index in database.get_indexes(meta.table_name) if index.unique}
        for name, field in meta.columns.items():
            assert not field.unique or field.primary_key or (name,) in unique, (meta.table_name, name)
        made.discard(meta.table_name)
    beside = {"schema_version", "text_todo", "address_idle", "sqlite_sequence"}
    assert {name for name in made if "_text" not in name} - beside == set()


def test_models_defaults_stand_in_the_database(database: peewee.Database) -> None:
    """Writers use plain INSERTs: what a model would fill in, the database must fill in as well."""
    for model in models.ALL:
        meta = model._meta
        columns = {column.name: column for column in database.get_columns(meta.table_name)}
        for name, field in meta.columns.items():
            if field.default is not None:
                assert columns[name].default is not None, (meta.table_name, name)


def test_indexes_that_searches_rely_on(database: peewee.Database) -> None:
    def names(table: str) -> set[str]:
        return {index.name for index in database.get_indexes(table)}

    assert {"message_sender", "message_client", "message_header"} <= names("message")
    assert {"recipient_address", "recipient_status", "recipient_verdict"} <= names("recipient")
    assert {"delivery_message", "delivery_status", "delivery_relay", "delivery_final"} <= names("delivery")
    if not is_sqlite(database):
        assert "subject_text" in names("message")


def test_migrating_again_does_nothing(database: peewee.Database) -> None:
    assert schema.version(database) == max(schema.numbered())
    assert schema.migrate(database) == []


def test_several_processes_at_once(new_url: Callable[[], str]) -> None:
    url = new_url()
    program = Path(sys.executable).with_name("mailweir")
    environment = {"MAILWEIR_DATABASE_URL": url, "MAILWEIR_CONFIG": ""}
    children = [
        subprocess.Popen([program, "migrate"], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    answers = sorted(child.communicate(timeout=60)[0].partition(": schema ")[2] for child in children)
    newest = max(schema.numbered())
    assert [answer.split(",")[0] for answer in answers] == [str(newest)] * 4
    assert sum("ran migrations 1, 2," in answer for answer in answers) == 1
    assert sum("nothing to do" in answer for answer in answers) == 3


def test_a_migration_that_fails_leaves_nothing(
    new_url: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configured(new_url())
    steps = schema.numbered()
    monkeypatch.setattr(schema, "numbered", lambda: {**steps, 99: "mailweir.records.words"})  # has no up()
    with pytest.raises(AttributeError):
        db.connect(config)
    monkeypatch.undo()
    opened = db.connect(config, migrate=False)
    assert schema.version(opened) == 0
    assert not opened.table_exists("message")
    assert schema.migrate(opened) == sorted(steps)
    opened.close()


def test_a_newer_database_is_refused(database: peewee.Database) -> None:
    database.execute_sql("INSERT INTO schema_version VALUES (9999, 0)")
    with pytest.raises(ConfigError, match=r"newer than this program's.*update Mailweir"):
        schema.migrate(database)


def test_sqlite_is_made_with_its_directory(tmp_path: Path) -> None:
    opened = db.connect(configured(f"sqlite:///{tmp_path}/a/b/mailweir.db"))
    assert (tmp_path / "a/b/mailweir.db").exists()
    assert opened.execute_sql("PRAGMA journal_mode").fetchone() == ("wal",)
    opened.close()


def test_sqlite_in_the_state_directory_by_default(tmp_path: Path) -> None:
    db.connect(dataclasses.replace(Config(), state_dir=str(tmp_path))).close()
    assert (tmp_path / "mailweir.db").exists()


@pytest.mark.parametrize("url", ["mysql://a/b", "sqlite:///", "mailweir.db", "postgres:/x"])
def test_unusable_url(url: str) -> None:
    with pytest.raises(ConfigError, match=r"database\.url"):
        db.connect(configured(url))


def test_sqlite_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot be used"):
        db.connect(configured(f"sqlite:///{tmp_path}"))
    (tmp_path / "file").write_text("x")
    with pytest.raises(Unavailable, match="cannot be made"):
        db.connect(configured(f"sqlite:///{tmp_path}/file/mailweir.db"))
    (tmp_path / "text.db").write_text("no database " * 1000)
    with pytest.raises(Unavailable, match="not a database"):
        db.connect(configured(f"sqlite:///{tmp_path}/text.db"))


def test_postgresql_that_does_not_answer(cluster: PostgreSQL) -> None:
    with pytest.raises(Unavailable, match=r"MAILWEIR_DATABASE_URL") as caught:
        db.connect(configured("postgresql://me:secret@127.0.0.1:1/x"))
    assert "secret" not in str(caught.value)
    with pytest.raises(Unavailable, match="does not exist"):
        db.connect(configured(cluster.url + "_none"))


def test_sqlite_waits_for_a_writer(tmp_path: Path) -> None:
    config = Config(database=Database(url=f"sqlite:///{tmp_path}/x.db", busy_timeout=0.2))
    first = db.connect(config)
    with first.atomic():
        first.execute_sql("INSERT INTO node (id, name) VALUES (1, 'x')")
        second = db.make(config.database_url, 0.2)
        assert second.execute_sql("SELECT count(*) FROM node").fetchone() == (0,)  # readers never wait
        with pytest.raises(peewee.OperationalError, match="locked"):
            second.execute_sql("INSERT INTO node (id, name) VALUES (2, 'y')")
        second.close()
    first.close()
