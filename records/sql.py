"""Small pieces of SQL with their values, and running them on either database within a time budget.

Statements are written with `?` for values and are the same text for both databases wherever that is possible;
nothing that came from outside is ever part of the text.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from peewee import Database, OperationalError

from mailweir.records import models
from mailweir.records.migrations.dialect import is_sqlite

STREAMED = 1_000  # rows that PostgreSQL hands over at a time
_STEPS = 4_000  # SQLite instructions between two looks at the clock: well below a millisecond


class OutOfTime(Exception):
    """The statement was stopped because the search's time budget was spent."""


@dataclass(frozen=True)
class Sql:
    """A piece of SQL and the values of its question marks."""

    text: str
    values: tuple[Any, ...] = ()

    def __add__(self, other: Sql) -> Sql:
        return Sql(f"{self.text} {other.text}", self.values + other.values)


def all_of(parts: Iterable[Sql]) -> Sql:
    """The parts joined by AND; true when there is none."""
    present = [part for part in parts if part.text]
    if not present:
        return Sql("1 = 1")
    return Sql(" AND ".join(f"({part.text})" for part in present), _values(present))


def any_of(parts: Iterable[Sql]) -> Sql:
    """The parts joined by OR; false when there is none."""
    present = list(parts)
    if not present:
        return Sql("1 = 0")
    return Sql("(" + " OR ".join(f"({part.text})" for part in present) + ")", _values(present))


def _values(parts: Iterable[Sql]) -> tuple[Any, ...]:
    return tuple(value for part in parts for value in part.values)


def numbers(values: Iterable[int]) -> str:
    """Integers as the inside of an IN list."""
    return ", ".join(str(int(value)) for value in values) or "NULL"


def contains(column: str, part: str) -> Sql:
    """Whether a column of folded text contains the folded part; nothing in it is a wildcard."""
    if sqlite():
        return Sql(f"instr({column}, ?) > 0", (part,))
    escaped = part.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return Sql(f"{column} LIKE ?", (f"%{escaped}%",))


def folded(column: str) -> str:
    """The column in lower case, by Python's rules in SQLite and ICU's in PostgreSQL."""
    return f"fold({column})" if sqlite() else f'lower({column} COLLATE "und-x-icu")'


def database() -> Database:
    """The database that db.connect bound."""
    bound: Database = models.database.obj
    return bound


def sqlite() -> bool:
    """Whether that is SQLite."""
    return is_sqlite(database())


class Budget:
    """How much time a search may still take; None as seconds: all it wants."""

    def __init__(self, seconds: float | None) -> None:
        self._end = None if seconds is None else time.monotonic() + seconds

    def left(self) -> float | None:
        """Seconds that are left, at least 1 ms; None without a limit."""
        return None if self._end is None else max(0.001, self._end - time.monotonic())

    def spent(self) -> bool:
        """Whether nothing is left."""
        return self._end is not None and time.monotonic() >= self._end


UNLIMITED = Budget(None)


def rows(statement: Sql, budget: Budget = UNLIMITED) -> list[tuple[Any, ...]]:
    """Run a SELECT and fetch all its rows. Raises OutOfTime when the budget is spent first."""
    here = database()
    if is_sqlite(here):
        return _sqlite_rows(here, statement, budget)
    return _postgresql_rows(here, statement, budget)


def stream(statement: Sql) -> Iterator[tuple[Any, ...]]:
    """A SELECT's rows for a reader that takes its time: of many rows PostgreSQL keeps most on its side.

    The cursor outlives its transaction, so that no snapshot is held and nothing has to wait for the reader.
    """
    here = database()
    if is_sqlite(here):
        yield from rows(statement)
        return
    with here.connection().cursor(name="stream", withhold=True) as cursor:
        cursor.itersize = STREAMED
        cursor.execute(statement.text.replace("?", "%s"), statement.values)
        yield from cursor


def one(statement: Sql, budget: Budget = UNLIMITED) -> tuple[Any, ...] | None:
    """The first row, if there is one."""
    return next(iter(rows(statement, budget)), None)


def _sqlite_rows(here: Database, statement: Sql, budget: Budget) -> list[tuple[Any, ...]]:
    connection: sqlite3.Connection = here.connection()
    if budget.left() is not None:
        connection.set_progress_handler(budget.spent, _STEPS)
    try:
        return list(here.execute_sql(statement.text, statement.values))
    except (OperationalError, sqlite3.OperationalError) as error:
        if "interrupted" in str(error):
            raise OutOfTime from None
        raise
    finally:
        connection.set_progress_handler(None, 0)


def _postgresql_rows(here: Database, statement: Sql, budget: Budget) -> list[tuple[Any, ...]]:
    text = statement.text.replace("?", "%s")
    left = budget.left()
    if left is None:
        return list(here.execute_sql(text, statement.values))
    try:
        with here.atomic():
            here.execute_sql(f"SET LOCAL statement_timeout = {max(1, int(left * 1000))}")
            return list(here.execute_sql(text, statement.values))
    except OperationalError as error:
        if "statement timeout" in str(error):
            raise OutOfTime from None
        raise


def batches(values: list[int], size: int = 500) -> Iterator[list[int]]:
    """The list in pieces that a statement can hold."""
    for start in range(0, len(values), size):
        yield values[start : start + size]
