"""Lets one import of past logs run at a time for a node: two would begin the same queue files and IDs.

The lock is the operating system's or the database server's, so that whatever ends the import frees it.
"""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from peewee import Database, OperationalError, SqliteDatabase

from mailweir.config import Config
from mailweir.errors import Unavailable
from mailweir.records import db

LOCK = 0x6D77_696D  # any number that no other program takes in the same PostgreSQL database
PATIENCE = 5.0  # seconds; a killed import's server process may need a moment to notice


@contextlib.contextmanager
def one_import(config: Config, node: int) -> Iterator[None]:
    """Held while importing for that node. Raises Unavailable when another import runs."""
    own = db.make(config.database_url, config.database.busy_timeout)
    taken = _in_file(str(own.database), node) if isinstance(own, SqliteDatabase) else _in_server(own, node)
    with taken:
        yield


@contextlib.contextmanager
def _in_file(database: str, node: int) -> Iterator[None]:
    """One byte of a file beside the database for each node; forked processes do not inherit it."""
    if database == ":memory:":
        yield
        return
    path = Path(database + "-import")
    db.make_file(path)
    with path.open("r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, node)
        except OSError:
            raise _busy(node) from None
        yield


@contextlib.contextmanager
def _in_server(own: Database, node: int) -> Iterator[None]:
    """By a connection of its own that lasts as long."""
    own.connect()
    try:
        own.execute_sql(f"SET lock_timeout = {int(1000 * PATIENCE)}")
        own.execute_sql("SELECT pg_advisory_lock(%s, %s)", (LOCK, node))
        yield
    except OperationalError as error:
        if "lock timeout" not in str(error):
            raise
        raise _busy(node) from None
    finally:
        own.close()


def _busy(node: int) -> Unavailable:
    return Unavailable(
        f"another import for node {node} runs into this database: wait for its end, then repeat; or name all "
        "files in one import, which reads them in the order of time"
    )
