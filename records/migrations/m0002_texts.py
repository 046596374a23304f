"""Indexes that find any part of an address, a subject or a file name.

SQLite: FTS5 tables of trigrams that keep no text of their own, filled from text_todo off the mail path (see
records/texts.py). PostgreSQL: pg_trgm, whose pending lists do the same; where the extension may not be
created, search still works by walking newest first.
"""

from __future__ import annotations

from peewee import Database, PeeweeException

from mailweir.records.migrations.dialect import is_sqlite, run

TRIGRAMS = "content='', detail=none, columnsize=0, tokenize='trigram case_sensitive 1'"
FTS5 = f"""
CREATE VIRTUAL TABLE address_text USING fts5(text, {TRIGRAMS});
CREATE VIRTUAL TABLE subject_text USING fts5(text, {TRIGRAMS});
CREATE VIRTUAL TABLE file_text USING fts5(text, {TRIGRAMS});
CREATE TABLE text_todo (kind SMALLINT NOT NULL, id BIGINT NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID;
"""
TRIGGERS = (
    "CREATE TRIGGER address_todo AFTER INSERT ON address"
    " BEGIN INSERT OR IGNORE INTO text_todo VALUES (1, new.id); END",
    "CREATE TRIGGER subject_todo AFTER INSERT ON message WHEN new.subject <> ''"
    " BEGIN INSERT OR IGNORE INTO text_todo VALUES (2, new.id); END",
    "CREATE TRIGGER subject_changed AFTER UPDATE OF subject ON message WHEN new.subject <> old.subject"
    " BEGIN INSERT OR IGNORE INTO text_todo VALUES (2, new.id); END",
    "CREATE TRIGGER file_todo AFTER INSERT ON attachment WHEN new.name <> ''"
    " BEGIN INSERT OR IGNORE INTO text_todo VALUES (3, new.message_id); END",
)
PG_TRGM = """
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE INDEX address_text ON address USING gin (folded gin_trgm_ops);
CREATE INDEX subject_text ON message USING gin (lower(subject COLLATE "und-x-icu") gin_trgm_ops);
CREATE INDEX file_text ON attachment USING gin (lower(name COLLATE "und-x-icu") gin_trgm_ops);
"""


def up(database: Database) -> None:
    """Make the text indexes that the database can have."""
    if is_sqlite(database):
        run(database, FTS5)
        for trigger in TRIGGERS:
            database.execute_sql(trigger)
        return
    try:
        with database.savepoint():
            run(database, PG_TRGM)
    except PeeweeException:  # no such extension, or no right to create one
        return
