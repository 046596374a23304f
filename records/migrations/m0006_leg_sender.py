"""The envelope sender of queue files that are about a message instead of carrying it."""

from __future__ import annotations

from peewee import Database

from mailweir.records.migrations.dialect import run

SENDER = "ALTER TABLE leg ADD COLUMN sender TEXT"


def up(database: Database) -> None:
    """Add the column; in queue files recorded before, the log's word for it is gone, and it stays empty."""
    run(database, SENDER)
