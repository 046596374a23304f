"""Finds the IDs of one page, newest first, by the cheapest way, within the time budget.

Few candidates are checked all at once. Otherwise the search goes back through time window by window, each as
wide as the one before was fast: first over the newest rows themselves, which fills the page when matches are
common, then along the way that lists fewest candidates.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from mailweir.records.search_where import Way
from mailweir.records.sql import Budget, OutOfTime, Sql, one, rows, sqlite

MANY = 50_000  # beyond that many, a way's candidates are not counted
PROBE = 1_000  # rows of the first window
WINDOW_SECONDS = 0.015  # what a window should take
NEWEST = 1 << 62  # above every ID


@dataclass(frozen=True)
class Found:
    """IDs, newest first; going on below `next` finds more, None when there are none."""

    keys: tuple[int, ...] = ()
    next: int | None = None
    partial: bool = False


@dataclass(frozen=True)
class Sought:
    """Whose IDs are sought (table and alias, such as `message m`) and the condition that they must meet."""

    table: str
    alias: str
    joined: str  # further tables, joined to it
    condition: Sql

    def select(self, where: Sql) -> Sql:
        """The IDs that meet `where` as well; SQLite must not choose an index for the condition's sake."""
        hint = " NOT INDEXED" if sqlite() else ""
        head = f"SELECT {self.alias}.id FROM {self.table} {self.alias}{hint} {self.joined}"
        return Sql(
            f"{head} WHERE {where.text} AND {self.condition.text}", where.values + self.condition.values
        )

    def between(self, low: int, high: int) -> Sql:
        """Those in a range of IDs."""
        return self.select(Sql(f"{self.alias}.id >= ? AND {self.alias}.id < ?", (low, high)))

    def among(self, candidates: Sql) -> Sql:
        """Those that a statement lists."""
        listed = f"IN ({candidates.text})" if sqlite() else f"= ANY(ARRAY({candidates.text}))"
        return self.select(Sql(f"{self.alias}.id {listed}", candidates.values))


def find(sought: Sought, ways: Sequence[Way], *, low: int, high: int, need: int, budget: Budget) -> Found:
    """The `need` highest IDs from `low` up to, but without, `high`."""
    if low >= high:
        return Found()
    try:
        way, few = _cheapest(ways, low, high, budget)
        if way and few:
            keys = _highest(sought.among(way.list(low, high)), need, budget)
            return Found(tuple(keys), keys[-1] if len(keys) == need else None)
        oldest = one(Sql(f"SELECT min(id) FROM {sought.table}"), budget)
        if oldest is None or oldest[0] is None:
            return Found()
        return _back(sought, way, max(low, oldest[0]), high, need, budget)
    except OutOfTime:
        return Found(next=high, partial=True)


def _cheapest(ways: Sequence[Way], low: int, high: int, budget: Budget) -> tuple[Way | None, bool]:
    """The way with fewest candidates, and whether they are few enough to check all at once."""
    for way in ways:
        if _count(way, low, high, way.few + 1, budget) <= way.few:
            return way, True
    windowed = [way for way in ways if way.windowed]
    if len(windowed) < 2:
        return (windowed[0] if windowed else None), False
    return min(windowed, key=lambda way: _count(way, low, high, MANY, budget)), False


def _count(way: Way, low: int, high: int, most: int, budget: Budget) -> int:
    listed = way.list(low, high)
    statement = Sql(f"SELECT count(*) FROM (SELECT 1 FROM ({listed.text}) c LIMIT {most}) d", listed.values)
    row = one(statement, budget)
    return row[0] if row else 0


def _back(sought: Sought, way: Way | None, low: int, high: int, need: int, budget: Budget) -> Found:
    """Window by window, from the newest back."""
    keys: list[int] = []
    probe = one(
        Sql(f"SELECT id FROM {sought.table} WHERE id < ? ORDER BY id DESC LIMIT 1 OFFSET {PROBE}", (high,))
    )
    bottom = max(low, probe[0]) if probe else low
    upto, walking = high, True
    while upto > low:
        began = time.monotonic()
        statement = sought.between(bottom, upto) if walking else sought.among(way.list(bottom, upto))  # type: ignore[union-attr]
        try:
            keys += _highest(statement, need - len(keys), budget)
        except OutOfTime:
            return Found(tuple(keys), upto, partial=True)
        if len(keys) >= need:
            return Found(tuple(keys), keys[-1])
        width, upto = upto - bottom, bottom
        if budget.spent() and upto > low:
            return Found(tuple(keys), upto, partial=True)
        took = max(time.monotonic() - began, WINDOW_SECONDS / 8)
        walking = way is None
        bottom = max(low, upto - int(width * WINDOW_SECONDS / took) - 1)
    return Found(tuple(keys))


def _highest(statement: Sql, need: int, budget: Budget) -> list[int]:
    return [row[0] for row in rows(statement + Sql(f"ORDER BY 1 DESC LIMIT {need}"), budget)]
