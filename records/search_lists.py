"""The four lists: Mail In, Pending, Delivery, Quarantine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from mailweir.records import ids, search_load
from mailweir.records.filters import Filter
from mailweir.records.search_delivery import delivery_where
from mailweir.records.search_keys import NEWEST, Found, Sought, find
from mailweir.records.search_where import Where, statuses_of, where
from mailweir.records.sql import Budget, OutOfTime, all_of
from mailweir.records.views import DeliveryRow, MessageRow, Page, PendingRow
from mailweir.records.words import PENDING, Status

Row = TypeVar("Row")


def mail_in(
    wanted: Filter, *, below: int | None = None, limit: int = 50, budget: float | None = None
) -> Page[MessageRow]:
    """Messages that entered; `matched` tells the recipients that the filter asked for.

    budget: seconds that finding them may take; None: as long as it needs.
    """
    asked, found = _messages(wanted, None, below, limit, budget)
    keys, following = cut(found, limit)
    rows = search_load.messages(keys, matched=asked.recipient, visible=asked.visible)
    return Page(tuple(rows), following, found.partial)


def quarantine(
    wanted: Filter, *, below: int | None = None, limit: int = 50, budget: float | None = None
) -> Page[MessageRow]:
    """Messages with stalled recipients, with their findings; `matched` tells the stalled recipients."""
    asked, found = _messages(wanted, _those((Status.STALLED,), wanted), below, limit, budget)
    keys, following = cut(found, limit)
    rows = search_load.messages(keys, matched=asked.recipient, visible=asked.visible, findings=True)
    return Page(tuple(rows), following, found.partial)


def pending(
    wanted: Filter, *, below: int | None = None, limit: int = 50, budget: float | None = None
) -> Page[PendingRow]:
    """Recipients that are filtering, stalled, queued or deferred; a page ends with a whole message."""
    asked, found = _messages(wanted, _those(PENDING, wanted), below, limit, budget)
    keys, following = cut(found, limit)
    rows = search_load.pending(keys, all_of([asked.recipient, asked.visible]))
    if len(rows) > limit:  # messages with several recipients: end the page with the message that fills it
        last = rows[limit - 1].id
        end = next((place for place, row in enumerate(rows) if row.id < last), len(rows))
        if end < len(rows):
            return Page(tuple(rows[:end]), last)
    return Page(tuple(rows), following, found.partial)


def delivery(
    wanted: Filter, *, below: int | None = None, limit: int = 50, budget: float | None = None
) -> Page[DeliveryRow]:
    """Attempts to deliver; Filter.status may ask for outcomes, ip is the receiving server's."""
    clock = Budget(budget)
    try:
        sought, ways = delivery_where(wanted, clock)
    except OutOfTime:
        return Page((), below, partial=True)
    low, high = range_of(wanted, below)
    found = find(sought, ways, low=low, high=high, need=limit + 1, budget=clock)
    keys, following = cut(found, limit)
    return Page(tuple(search_load.deliveries_of(keys)), following, found.partial)


def _messages(
    wanted: Filter, statuses: Sequence[Status] | None, below: int | None, limit: int, budget: float | None
) -> tuple[Where, Found]:
    clock = Budget(budget)
    low, high = range_of(wanted, below)
    try:
        asked = where(wanted, clock, statuses=statuses)
    except OutOfTime:
        asked = where(Filter(domains=()), clock)
        return asked, Found(next=high, partial=True)
    sought = Sought("message", "m", "", asked.holds())
    return asked, find(sought, asked.ways, low=low, high=high, need=limit + 1, budget=clock)


def _those(listed: Sequence[Status], wanted: Filter) -> tuple[Status, ...]:
    """The statuses of a list that the filter leaves."""
    asked = statuses_of(wanted)
    return tuple(status for status in listed if not asked or status in asked)


def range_of(wanted: Filter, below: int | None = None) -> tuple[int, int]:
    """The IDs that before, after and paging leave: from the first up to, but without, the second."""
    low = 0 if wanted.after is None else _first_id(wanted.after)
    high = NEWEST if wanted.before is None else _first_id(wanted.before)
    return low, high if below is None else min(high, below)


def _first_id(seconds: float) -> int:
    return min(max(0, ids.first_id(int(seconds * 1000))), NEWEST)


def cut(found: Found, limit: int) -> tuple[list[int], int | None]:
    """The page's keys and where the next page begins; one key more was sought to know if there is one."""
    keys = list(found.keys[:limit])
    if len(found.keys) > limit:
        return keys, keys[-1]
    return keys, found.next
