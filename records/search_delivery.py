"""What a Filter asks of delivery attempts, and the ways that lead to them."""

from __future__ import annotations

import dataclasses

from mailweir.records import ids
from mailweir.records.filters import Filter
from mailweir.records.search_addresses import Addresses
from mailweir.records.search_keys import Sought
from mailweir.records.search_where import Way, begins, by_addresses, union, where
from mailweir.records.sql import Budget, Sql, all_of, any_of, numbers, sqlite
from mailweir.records.text import storable
from mailweir.records.words import Outcome, Status

DAYS_BEFORE = ids.first_id(7 * 86_400_000) - ids.first_id(0)  # in IDs; most attempts are made within 7 days
SECONDS_AFTER = ids.first_id(60_000) - ids.first_id(0)  # a log's stamps may be whole seconds
NOT_INDEXED = " NOT INDEXED"  # by the range of IDs, not by message
FEW = 20_000  # attempts, or messages, that are checked all at once

_STATUS_OUTCOMES = {
    Status.DELIVERED: (Outcome.SENT,),
    Status.DEFERRED: (Outcome.DEFERRED,),
    Status.FAILED: (Outcome.BOUNCED, Outcome.EXPIRED, Outcome.UNDELIVERABLE),
    Status.RETURNED: (Outcome.FORCE_EXPIRED,),
}
"""What the words for recipients mean for attempts; other words are asked of the recipient as it is now."""


def delivery_where(wanted: Filter, budget: Budget) -> tuple[Sought, list[Way]]:
    """The condition on `d` (delivery) and the ways there."""
    outcomes = set(wanted.outcome)
    for status in wanted.status:
        outcomes.update(_STATUS_OUTCOMES.get(status, ()))
    others = tuple(status for status in wanted.status if status not in _STATUS_OUTCOMES)
    of_message = where(
        dataclasses.replace(wanted, ip="", status=others, outcome=(), recipient="", queue_id=""), budget
    )
    conditions = [of_message.message]
    ways = [_by_message(way) for way in of_message.ways]
    if not of_message.any_recipient:
        match = all_of([of_message.recipient, of_message.visible])
        same = "r.message_id = d.message_id AND r.address_id = d.address_id"
        conditions.append(
            Sql(f"EXISTS (SELECT 1 FROM recipient r WHERE {same} AND {match.text})", match.values)
        )
    if wanted.recipient:
        addresses = where(Filter(recipient=wanted.recipient), budget)
        assert addresses.recipient_addresses is not None
        named = addresses.recipient_addresses
        final = named.hold("d.final_id")
        conditions.append(
            any_of(
                [named.hold("d.address_id"), Sql(f"d.final_id IS NOT NULL AND {final.text}", final.values)]
            )
        )
        if addresses.ways:
            ways.append(_by_addresses(addresses.ways[0], named))
    if wanted.queue_id:
        of_leg = "SELECT id FROM leg WHERE queue_id = ?"
        conditions.append(Sql(f"d.leg_id IN ({of_leg})", (storable(wanted.queue_id),)))
        ways.append(_by_message(where(Filter(queue_id=wanted.queue_id), budget).ways[0]))
    if wanted.ip:
        relay = begins("d.relay_ip", storable(wanted.ip))
        conditions.append(relay)
        ways.append(_direct(relay))
    if outcomes:
        some = f"d.status IN ({numbers(outcomes)})"
        conditions.append(Sql(some))
        if Outcome.SENT not in outcomes:
            ways.append(_direct(Sql(f"d.status <> 1 AND {some}")))
    joined = "LEFT JOIN message m ON m.id = d.message_id"
    return Sought("delivery", "d", joined, all_of(conditions)), ways


def _direct(condition: Sql) -> Way:
    """By an index of delivery itself."""
    select = f"SELECT d.id FROM delivery d WHERE {condition.text} AND d.id >= ? AND d.id < ?"
    return Way(lambda low, high: Sql(select, (*condition.values, low, high)))


def _by_message(way: Way) -> Way:
    """By the messages of another way. An attempt may be much younger than its message, hardly older.

    A wide range is listed by all messages until its end. A narrow one by those of the days before it, with
    every attempt in it for an older message, as such are rare.
    """

    def listed(low: int, high: int) -> Sql:
        first = low - DAYS_BEFORE
        if high - first > 4 * DAYS_BEFORE:
            first = 0
        messages = way.list(max(first, 0), high + SECONDS_AFTER)
        attempts = Sql(
            f"SELECT e.id FROM ({messages.text}) c CROSS JOIN delivery e WHERE e.message_id = c.id"
            " AND e.id >= ? AND e.id < ?",
            (*messages.values, low, high),
        )
        if first <= 0:
            return attempts
        older = f"SELECT o.id FROM delivery o{NOT_INDEXED if sqlite() else ''} WHERE o.id >= ? AND o.id < ?"
        return attempts + Sql(f"UNION ALL {older} AND o.message_id < ?", (low, high, first))

    return Way(listed, few=FEW, windowed=way.windowed, costly=way.costly)


def _by_addresses(way: Way, named: Addresses) -> Way:
    """By the messages to the addresses, and by those that an alias led to them."""
    forwarded = by_addresses(named, "delivery", "final_id", "id")
    return dataclasses.replace(union([_by_message(way), *forwarded]), few=FEW)
