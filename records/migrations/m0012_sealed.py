"""Passwords on their way to an agent, sealed to a key that this agent alone has."""

from __future__ import annotations

from peewee import Database

from mailweir.records.migrations.dialect import run

TABLE = """
ALTER TABLE node ADD COLUMN key TEXT NOT NULL DEFAULT '';
CREATE TABLE sealed (command_id BIGINT NOT NULL PRIMARY KEY, box {bytes} NOT NULL)"""


def up(database: Database) -> None:
    """Make the place for the key of each node's agent, and the table."""
    run(database, TABLE)
