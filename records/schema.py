"""Brings a database to the newest schema by the numbered modules of records/migrations/.

Each migration and its row in schema_version commit together, under a lock that only one process gets, so
any number of processes may start at once on an empty or an old database.
"""

from __future__ import annotations

import importlib
import pkgutil
import time

from peewee import Database

from mailweir.errors import ConfigError
from mailweir.records import migrations
from mailweir.records.migrations.dialect import is_sqlite

LOCK = 0x6D77_7363  # any number that no other program takes in the same PostgreSQL database


def numbered() -> dict[int, str]:
    """Every migration's number and module name, in order."""
    found = (name for _, name, _ in pkgutil.iter_modules(migrations.__path__) if name.startswith("m0"))
    return {int(name[1:5]): f"{migrations.__name__}.{name}" for name in sorted(found)}


def version(database: Database) -> int:
    """The number of the last migration that the database has seen; 0 for an empty one."""
    if not database.table_exists("schema_version"):
        return 0
    row = database.execute_sql("SELECT max(version) FROM schema_version").fetchone()
    return int(row[0] or 0)


def migrate(database: Database) -> list[int]:
    """Run the migrations that the database has not seen; returns their numbers.

    Raises ConfigError when the database is newer than this program.
    """
    steps = numbered()
    newest = max(steps)
    if version(database) == newest:
        return []
    done = []
    with database.atomic():  # SQLite: BEGIN IMMEDIATE, see db.py
        if not is_sqlite(database):
            database.execute_sql("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        database.execute_sql(
            "CREATE TABLE IF NOT EXISTS schema_version"
            " (version INTEGER NOT NULL PRIMARY KEY, applied DOUBLE PRECISION NOT NULL)"
        )
        present = version(database)
        if present > newest:
            raise ConfigError(
                f"the database has schema {present}, newer than this program's {newest}: update Mailweir"
            )
        mark = "?" if is_sqlite(database) else "%s"
        for number, module in steps.items():
            if number > present:
                importlib.import_module(module).up(database)
                database.execute_sql(
                    f"INSERT INTO schema_version VALUES ({number}, {mark})",
                    (time.time(),),
                )
                done.append(number)
    return done
