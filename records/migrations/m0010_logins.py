"""What slows down the guessing of passwords, shared by all processes that serve the pages, on every node."""

from __future__ import annotations

from peewee import Database

from mailweir.records.migrations.dialect import run

TABLES = """
CREATE TABLE login_throttle (name TEXT NOT NULL PRIMARY KEY, until DOUBLE PRECISION NOT NULL) {clustered};
CREATE INDEX login_throttle_until ON login_throttle (until);
CREATE TABLE login_address (
    user_id BIGINT NOT NULL, address TEXT NOT NULL, last DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (user_id, address)
) {clustered}"""


def up(database: Database) -> None:
    """Make the tables; nobody is throttled yet, and no address is known."""
    run(database, TABLES)
