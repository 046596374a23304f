"""What was read of messages in the queue, for some minutes and encrypted for whoever asked."""

from __future__ import annotations

from peewee import Database

from mailweir.records.migrations.dialect import run

TABLE = """
CREATE TABLE content (
    command_id BIGINT NOT NULL PRIMARY KEY,
    box {bytes} NOT NULL,
    size BIGINT NOT NULL,
    expires DOUBLE PRECISION NOT NULL
)"""


def up(database: Database) -> None:
    """Make the table."""
    run(database, TABLE)
