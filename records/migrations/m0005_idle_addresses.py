"""Addresses that no record names any more, and since when: records/purge.py removes them after a while."""

from __future__ import annotations

from peewee import Database

from mailweir.records.migrations.dialect import run

IDLE = """
CREATE TABLE address_idle (
    id {key},
    since DOUBLE PRECISION NOT NULL
);
"""


def up(database: Database) -> None:
    """Make the table."""
    run(database, IDLE)
