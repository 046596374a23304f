"""An index that finds any part of what was said of a refused attempt: its client, HELO and the reply."""

from __future__ import annotations

from peewee import Database, PeeweeException

from mailweir.records.migrations.dialect import is_sqlite, run
from mailweir.records.migrations.m0002_texts import TRIGRAMS

SQLITE = (
    f"CREATE VIRTUAL TABLE reject_text USING fts5(text, {TRIGRAMS})",
    "CREATE TRIGGER reject_todo AFTER INSERT ON reject"
    " BEGIN INSERT OR IGNORE INTO text_todo VALUES (4, new.id); END",
    "INSERT OR IGNORE INTO text_todo SELECT 4, id FROM reject",
)
TEXT = """lower((client_name || ' ' || helo || ' ' || reply) COLLATE "und-x-icu")"""
POSTGRESQL = f"CREATE INDEX reject_text ON reject USING gin ({TEXT} gin_trgm_ops)"


def up(database: Database) -> None:
    """Make the index, where the database can have it; rows recorded before are noted for it."""
    if is_sqlite(database):
        for statement in SQLITE:
            database.execute_sql(statement)
        return
    try:
        with database.savepoint():
            run(database, POSTGRESQL)
    except PeeweeException:  # no pg_trgm
        return
