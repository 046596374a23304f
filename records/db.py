"""Opens the records' database, SQLite or PostgreSQL, and brings it to today's schema.

SQLite runs in WAL mode, so that pages read while the agent writes; both sides wait for a busy database
instead of failing.
"""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from peewee import Database, ImproperlyConfigured, OperationalError, PeeweeException, PostgresqlDatabase
from peewee import SqliteDatabase as _SqliteDatabase

from mailweir.config import Config
from mailweir.errors import ConfigError, Unavailable
from mailweir.records import models, schema
from mailweir.records.text import fold

# With WAL and synchronous=normal a crash of the machine can lose the last commits but never tears the file:
# what a lost commit held is read again from journal and log, because their cursor was lost with it.
PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": "normal",
    "foreign_keys": 1,
    "cache_size": -32_000,  # KiB
    "mmap_size": 64 << 20,  # bytes; counted as memory of every process
    "temp_store": "memory",
}


class SqliteDatabase(_SqliteDatabase):
    """peewee's, with the patience that switching a new file to WAL needs when several processes do it."""

    def _connect(self) -> sqlite3.Connection:
        deadline = time.monotonic() + self.timeout
        while True:
            try:
                connection: sqlite3.Connection = super()._connect()  # type: ignore[misc]
                return connection
            except sqlite3.OperationalError as error:
                # SQLite does not call its busy handler while it changes the journal mode.
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)


def connect(config: Config, *, migrate: bool = True) -> Database:
    """Open the database of `database.url`, bind the models to it and run pending migrations.

    A SQLite file and its directory are made when missing. Each thread that uses the models opens its own
    connection on first use; a thread that ends closes it with `close()`.
    Raises ConfigError for an unusable URL and Unavailable when the database does not answer.
    """
    url = config.database_url
    database = make(url, config.database.busy_timeout)
    try:
        database.connect(reuse_if_open=True)
        if migrate:
            schema.migrate(database)
    except (PeeweeException, sqlite3.Error, OSError) as error:
        raise Unavailable(
            f"the database {public(url)} cannot be used: {str(error).strip()}. Start it or free it, or set "
            "database.url (MAILWEIR_DATABASE_URL) to one that can"
        ) from error
    models.database.initialize(database)
    return database


def make(url: str, busy_timeout: float = 15.0) -> Database:
    """The database that the URL names, not yet opened. Raises ConfigError and Unavailable."""
    if url.startswith("sqlite:///"):
        return _sqlite(unquote(url.removeprefix("sqlite:///")), busy_timeout)
    if url.startswith(("postgresql://", "postgres://")):
        return _postgresql(url.replace("postgres://", "postgresql://", 1), busy_timeout)
    raise ConfigError(
        f"database.url: {public(url)!r} is neither sqlite:///PATH nor postgresql://USER@HOST/NAME"
    )


def public(url: str) -> str:
    """The URL without its password, for messages."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    return url.replace(f":{parts.password}@", ":***@", 1)


def _sqlite(path: str, busy_timeout: float) -> Database:
    if not path:
        raise ConfigError("database.url: sqlite:/// needs the path of a file after it")
    try:
        if path != ":memory:":
            make_file(Path(path))
    except OSError as error:
        raise Unavailable(f"the database {path} cannot be made: {error}") from error
    database = SqliteDatabase(
        path, pragmas=PRAGMAS, timeout=busy_timeout, lock_type="IMMEDIATE", cached_statements=256
    )
    database.register_function(fold, "fold", 1, deterministic=True)
    return database


def make_file(path: Path) -> None:
    """Make it, if it is missing, writable for the group too: agent and pages are two users of one group.

    What root begins on the command line belongs to the directory's owner. SQLite's other files follow it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o660)
    except FileExistsError:
        return
    try:
        os.fchmod(descriptor, 0o660)
        if os.geteuid() == 0:
            owner = path.parent.stat()
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
    finally:
        os.close(descriptor)


def _postgresql(url: str, busy_timeout: float) -> Database:
    arguments: dict[str, Any] = {
        "connect_timeout": 5,
        "application_name": "mailweir",
        "prepare_threshold": None,  # a plan must see the values: they decide which index is worth it
        "options": f"-c lock_timeout={int(busy_timeout * 1000)} -c client_min_messages=warning",
    }
    try:
        import psycopg  # noqa: F401
    except ImportError:
        raise ConfigError(
            "database.url names PostgreSQL, which needs psycopg: pip install 'mailweir[postgresql]'"
        ) from None
    try:
        return PostgresqlDatabase(url, prefer_psycopg3=True, encoding="UTF8", **arguments)
    except (ImproperlyConfigured, OperationalError) as error:
        raise ConfigError(f"database.url: {error}") from error
