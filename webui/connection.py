"""The connection to the database that a request works with; each thread has its own.

With SQLite it stays open for the thread's next request, as it remembers what it has read of the file. A
PostgreSQL server may have been restarted meanwhile, so there each request opens one.
"""

from __future__ import annotations

import threading
from pathlib import Path

from flask import Flask

from mailweir.records import models
from mailweir.records.sql import sqlite

_CACHE = -24_000  # KiB that a connection may keep of the file, enough to group all that is pending

_opened = threading.local()  # which file the thread's connection has open


def init_app(app: Flask) -> None:
    """Have each request find an open connection."""
    app.before_request(_open)
    app.teardown_request(_let_go)


def _open() -> None:
    database = models.database
    if not sqlite():
        database.connect(reuse_if_open=True)
        return
    file = _file(database.database)
    if not database.is_closed() and file != getattr(_opened, "file", None):
        database.close()  # the file is another one now, as after a restore
    if database.connect(reuse_if_open=True):
        database.execute_sql(f"PRAGMA cache_size = {_CACHE}")
        _opened.file = _file(database.database)


def _let_go(error: BaseException | None) -> None:
    database = models.database
    if database.is_closed() or (error is None and sqlite() and not database.in_transaction()):
        return
    database.close()


def _file(path: str) -> tuple[int, int] | None:
    """What tells one file from another that has taken its name; None when there is none."""
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
