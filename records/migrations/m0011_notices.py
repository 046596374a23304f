"""The queue files that are about a message: whom they are for stands nowhere but in their attempts."""

from __future__ import annotations

from peewee import Database

from mailweir.records.migrations.dialect import run

ABOUT = "CREATE INDEX leg_about ON leg (message_id) WHERE kind IN (4, 7)"


def up(database: Database) -> None:
    """Make the index."""
    run(database, ABOUT)
