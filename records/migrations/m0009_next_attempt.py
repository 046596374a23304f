"""When Postfix tries a deferred queue file again, as its queue directory says, and when we saw that."""

from __future__ import annotations

from peewee import Database

from mailweir.records.migrations.dialect import run

COLUMNS = (
    "ALTER TABLE leg ADD COLUMN next_attempt DOUBLE PRECISION",
    "ALTER TABLE leg ADD COLUMN next_seen DOUBLE PRECISION",
)


def up(database: Database) -> None:
    """Add the columns; both are empty, which is unknown, until the agent has looked."""
    for statement in COLUMNS:
        run(database, statement)
