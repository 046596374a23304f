"""How the connection of a delivery attempt was encrypted, as far as the log tells."""

from __future__ import annotations

from peewee import Database

from mailweir.records.migrations.dialect import run

TLS = "ALTER TABLE delivery ADD COLUMN tls TEXT NOT NULL DEFAULT ''"


def up(database: Database) -> None:
    """Add the column; for attempts recorded before, nothing is known."""
    run(database, TLS)
