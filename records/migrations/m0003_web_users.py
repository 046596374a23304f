"""What a user of the pages sets for himself: language, time zone, second factor, saved searches."""

from __future__ import annotations

from peewee import Database

from mailweir.records.migrations.dialect import run

CHANGES = """
ALTER TABLE web_user ADD COLUMN language TEXT NOT NULL DEFAULT '';
ALTER TABLE web_user ADD COLUMN zone TEXT NOT NULL DEFAULT '';
ALTER TABLE web_user ADD COLUMN totp TEXT NOT NULL DEFAULT '';
ALTER TABLE web_user ADD COLUMN totp_step BIGINT NOT NULL DEFAULT 0;
CREATE TABLE saved_search (
    id {auto},
    user_id BIGINT NOT NULL,
    page TEXT NOT NULL,
    name TEXT NOT NULL,
    query TEXT NOT NULL
);
CREATE UNIQUE INDEX saved_search_name ON saved_search (user_id, page, name);
"""


def up(database: Database) -> None:
    """Add the columns and the table."""
    run(database, CHANGES)
