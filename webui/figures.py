"""The overview's numbers: how many recipients of each day and direction have come to which status.

A past day changes little and a whole month is long to count, so each day's counts are kept in memory and
counted again, beside the requests, the rarer the older it is; a page says which days it does not have yet.
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any, TypeVar

from mailweir.records import figures, ids, models, reasons
from mailweir.records.figures import Domains
from mailweir.records.words import PENDING, Direction, Status

log = logging.getLogger("mailweir.web")

DAYS = 30
PATIENCE = 0.025  # seconds that a request waits for days that are being counted
FRESH = ((1, 10.0), (8, 300.0), (DAYS + 2, 3_600.0))  # age in days -> seconds for which its counts are good
SOON = 5.0  # seconds for which reasons, destinations and pending counts are good
MOST = 10_000  # pending recipients counted one by one; more are shown as "10,000+"
MOST_KEPT = 40 * DAYS  # days' counts of all zones and limits that one worker keeps
SAMPLE = 1_000  # newest failed and deferred recipients looked at for reasons and destinations

Counts = Counter[tuple[Direction, Status]]
Span = tuple[int, int, Domains]  # from and to, in milliseconds since 1970, of what users so limited see

T = TypeVar("T")


@dataclass(frozen=True)
class Day:
    """One day's counts; None: not counted yet. is_new: they are not being counted again just now."""

    date: datetime
    counts: Counts | None
    is_new: bool

    def of(self, *statuses: Status) -> int:
        """Recipients with one of these statuses, whatever the direction."""
        if self.counts is None:
            return 0
        return sum(count for (_, status), count in self.counts.items() if status in statuses)

    def towards(self, direction: Direction) -> int:
        """Recipients of one direction."""
        return sum(count for (way, _), count in (self.counts or {}).items() if way is direction)

    @property
    def total(self) -> int:
        """All recipients."""
        return sum((self.counts or {}).values())


class Figures:
    """Keeps what was counted; one for each worker process, used by its threads together."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, patience: float = PATIENCE) -> None:
        self._clock = clock
        self._patience = patience
        self._lock = threading.Lock()
        self._counted = threading.Condition(self._lock)
        self._kept: dict[Span, tuple[float, Counts]] = {}
        self._wanted: dict[Span, None] = {}  # in the order in which they are counted
        self._counting = False
        self._soon: dict[tuple[str, Domains], tuple[float, Any]] = {}

    def days(self, now: float, zone: tzinfo, domains: Domains = ()) -> list[Day]:
        """The last DAYS days, today last; with domains only what a user limited to these may see.

        What is out of date is counted again; if that takes long, it is as it was, and says so.
        """
        today = datetime.fromtimestamp(now, zone).replace(hour=0, minute=0, second=0, microsecond=0)
        dates = [today - timedelta(days=age) for age in range(DAYS)]
        stops = [today + timedelta(days=1), *dates]
        spans = [
            (int(start.timestamp() * 1000), int(stop.timestamp() * 1000), domains)
            for start, stop in zip(dates, stops, strict=False)
        ]
        with self._lock:
            due = [span for age, span in enumerate(spans) if not self._is_good(span, age)]
            if due:
                self._wanted |= dict.fromkeys(due)
                self._begin()
                self._counted.wait_for(lambda: self._wanted.keys().isdisjoint(due), self._patience)
            return [
                Day(date, self._kept[span][1] if span in self._kept else None, span not in self._wanted)
                for date, span in zip(dates, spans, strict=True)
            ][::-1]

    def _is_good(self, span: Span, age: int) -> bool:
        good = next(seconds for days, seconds in FRESH if age < days)
        return span in self._kept and self._clock() - self._kept[span][0] < good

    def _begin(self) -> None:
        if not self._counting:
            self._counting = True
            threading.Thread(target=self._work, name="counting days", daemon=True).start()

    def _work(self) -> None:
        """Count what is wanted until nothing is; what cannot be counted is wanted again by a later page."""
        try:
            with models.database.connection_context():
                while span := self._next():
                    counts = count(*span)
                    with self._lock:
                        self._kept.pop(span, None)
                        self._kept[span] = (self._clock(), counts)
                        while len(self._kept) > MOST_KEPT:
                            del self._kept[next(iter(self._kept))]
                        del self._wanted[span]
                        self._counted.notify_all()
        except Exception as error:  # noqa: BLE001 - whatever it is, the next page must be able to begin anew
            log.warning("the overview's days could not be counted: %s", error)
            with self._lock:
                self._wanted.clear()
                self._counting = False
                self._counted.notify_all()

    def _next(self) -> Span | None:
        with self._lock:
            span = next(iter(self._wanted), None)
            self._counting = span is not None
            return span

    def soon(self, name: str, domains: Domains, work: Callable[[], T]) -> T:
        """What work returned for these domains within the last SOON seconds, else what it returns now."""
        key = (name, domains)
        with self._lock:
            kept = self._soon.get(key)
        if kept is None or self._clock() - kept[0] >= SOON:
            kept = (self._clock(), work())
            with self._lock:
                self._soon[key] = kept
                while len(self._soon) > MOST_KEPT:
                    del self._soon[next(iter(self._soon))]
        found: T = kept[1]
        return found


def count(start: int, stop: int, domains: Domains = ()) -> Counts:
    """Recipients of the messages of that time (milliseconds since 1970), by direction and status."""
    found = figures.by_status(ids.first_id(start), ids.first_id(stop), domains)
    return Counter({(Direction(way), Status(status)): number for way, status, number in found})


def pending(domains: Domains = ()) -> dict[Status, tuple[int, float | None]]:
    """For each pending status how many recipients, MOST at the most, and when the oldest came in."""
    found: dict[Status, tuple[int, float | None]] = {}
    for status in PENDING:
        number, oldest = figures.waiting(status, domains, MOST)
        found[status] = (number, ids.milliseconds_of(oldest) / 1000 if oldest else None)
    return found


def troubles(now: float, domains: Domains = ()) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """The commonest reasons and destination domains of the newest failed and deferred mail of a day."""
    first = ids.first_id(int((now - 86_400) * 1000))
    explain = functools.cache(reasons.explain)
    why: Counter[str] = Counter()
    where: Counter[str] = Counter()
    for status in (Status.DEFERRED, Status.FAILED):
        for dsn, reply, domain in figures.newest(status, first, domains, SAMPLE):
            why[explain(dsn, reply).what] += 1
            where[domain[::-1]] += 1
    return _top(why), _top(where)


def _top(counts: Counter[str]) -> list[tuple[str, int]]:
    return counts.most_common(8)


def stacks(
    days: Sequence[Day], parts: Sequence[tuple[str, tuple[Status, ...]]], height: float
) -> list[list[tuple[str, float, float, int]]]:
    """For a chart: each day's parts as (name, top, height, count) from the bottom up, to scale."""
    highest = max((day.total for day in days), default=0) or 1
    bars = []
    for day in days:
        top, bar = height, []
        for name, statuses in parts:
            number = day.of(*statuses)
            length = number / highest * height
            top -= length
            bar.append((name, top, length, number))
        bars.append(bar)
    return bars
