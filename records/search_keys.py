"""Finds the IDs of one page, newest first, by the cheapest way, within the time budget.

Candidates that are very few are checked at once. Then the newest rows themselves are looked at, which fills
the page when matches are common. What is left is found along the way that lists fewest candidates: at once
when they are few, else back through time window by window, the next wider when the last was fast.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from mailweir.records.search_where import Way
from mailweir.records.sql import Budget, OutOfTime, Sql, numbers, one, rows, sqlite

VERY_FEW = 200  # candidates that are checked before anything else
NAMED = 2_000  # candidates that a statement names one by one
MANY = 5_000  # beyond that many, a way's candidates are not counted
PROBE = 1_000  # newest rows that are looked at first
SECOND_PROBE = 10_000  # and at most that many more when some of the first matched
WINDOW_SECONDS = 0.015  # a window that took less is followed by a wider one
MOST_WIDENING = 8.0  # times; never narrower: on a busy machine that would only make more of them
COSTLY_WIDENING = 4.0  # times, where each window takes its time however narrow it is
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
        text = f"{head} WHERE {where.text} AND {self.condition.text}"
        return Sql(text, where.values + self.condition.values)

    def between(self, low: int, high: int) -> Sql:
        """Those in a range of IDs."""
        return self.select(Sql(f"{self.alias}.id >= ? AND {self.alias}.id < ?", (low, high)))

    def among(self, candidates: Sql) -> Sql:
        """Those that a statement lists."""
        listed = f"IN ({candidates.text})" if sqlite() else f"= ANY(ARRAY({candidates.text}))"
        return self.select(Sql(f"{self.alias}.id {listed}", candidates.values))


@dataclass
class _Search:
    """One search under way: what it has found, and how far down it has looked (`upto` and above is done)."""

    sought: Sought
    low: int
    upto: int
    need: int
    budget: Budget
    keys: list[int] = field(default_factory=list)

    def full(self) -> bool:
        return len(self.keys) >= self.need or self.upto <= self.low

    def take(self, statement: Sql, down_to: int) -> None:
        """Add what the statement finds, which covers everything from `upto` down to there."""
        ordered = statement + Sql(f"ORDER BY 1 DESC LIMIT {self.need - len(self.keys)}")
        self.keys += [row[0] for row in rows(ordered, self.budget)]
        self.upto = self.keys[-1] if len(self.keys) >= self.need else down_to

    def probe(self, count: int) -> None:
        """Look at the next so many rows."""
        below = Sql(f"SELECT id FROM {self.sought.table} WHERE id < ?", (self.upto,))
        row = one(below + Sql(f"ORDER BY id DESC LIMIT 1 OFFSET {count - 1}"), self.budget)
        bottom = max(self.low, row[0]) if row else self.low
        self.take(self.sought.between(bottom, self.upto), bottom)

    def at_once(self, ways: Sequence[Way], most: int | None = None) -> None:
        """All there is below, if a way lists few candidates there."""
        for way in ways:
            few = way.few if most is None else most
            listed = way.list(self.low, self.upto)
            if few <= NAMED:
                named = rows(listed + Sql(f"LIMIT {few + 1}"), self.budget)
                listed = Sql(numbers(row[0] for row in named))
                count = len(named)
            else:
                count = _count(listed, few + 1, self.budget)
            if count <= few:
                among = Sql(f"{self.sought.alias}.id IN ({listed.text})") if few <= NAMED else None
                self.take(self.sought.select(among) if among else self.sought.among(listed), self.low)
                return

    def back(self, way: Way | None, width: int) -> None:
        """Window by window, until the page is full or the time spent."""
        while not self.full() and not self.budget.spent():
            began, bottom = time.monotonic(), max(self.low, self.upto - width)
            if way is None:
                self.take(self.sought.between(bottom, self.upto), bottom)
            else:
                self.take(self.sought.among(way.list(bottom, self.upto)), bottom)
            took = time.monotonic() - began
            least = COSTLY_WIDENING if way is not None and way.costly else 1.0
            width = int(width * min(MOST_WIDENING, max(least, WINDOW_SECONDS / took)))


def find(sought: Sought, ways: Sequence[Way], *, low: int, high: int, need: int, budget: Budget) -> Found:
    """The `need` highest IDs from `low` up to, but without, `high`."""
    search = _Search(sought, low, high, need, budget)
    try:
        _find(search, ways)
    except OutOfTime:
        return Found(tuple(search.keys), search.upto, partial=True)
    if len(search.keys) >= need:
        return Found(tuple(search.keys), search.keys[-1])
    if search.upto > search.low:
        return Found(tuple(search.keys), search.upto, partial=True)
    return Found(tuple(search.keys))


def _find(search: _Search, ways: Sequence[Way]) -> None:
    ways = sorted(ways, key=lambda way: way.costly)
    search.at_once([way for way in ways if not way.costly], VERY_FEW)
    if search.full():
        return
    ids = f"FROM {search.sought.table}"
    ends = one(Sql(f"SELECT (SELECT min(id) {ids}), (SELECT max(id) {ids})"), search.budget)
    if not ends or ends[0] is None:
        search.upto = search.low
        return
    search.low, search.upto = max(search.low, ends[0]), min(search.upto, ends[1] + 1)
    if search.full():
        return
    start = search.upto
    search.probe(PROBE)
    if search.keys and not search.full():
        search.probe(min(SECOND_PROBE, 2 * PROBE * search.need // len(search.keys)))
    if not search.full():
        search.at_once(ways)
    if not search.full():
        width = 4 * (start - search.upto)
        search.back(_fewest(ways, search, width), width)


def _fewest(ways: Sequence[Way], search: _Search, width: int) -> Way | None:
    """The way with fewest candidates, of those that can be followed window by window.

    Counted in the first window and in one halfway down, as what is pending is mostly new.
    """
    windowed = [way for way in ways if way.windowed]
    if len(windowed) < 2:
        return windowed[0] if windowed else None
    middle = (search.low + search.upto) // 2
    places = [(max(search.low, high - width), high) for high in (search.upto, middle)]
    return min(
        windowed,
        key=lambda way: sum(_count(way.list(low, high), MANY, search.budget) for low, high in places),
    )


def _count(listed: Sql, most: int, budget: Budget) -> int:
    statement = Sql(
        f"SELECT count(*) FROM (SELECT 1 FROM ({listed.text}) listed LIMIT {most}) counted", listed.values
    )
    row = one(statement, budget)
    return row[0] if row else 0
