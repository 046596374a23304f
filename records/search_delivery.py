"""What a Filter asks of delivery attempts, and the ways that lead to them."""

from __future__ import annotations

import dataclasses

from mailweir.records.filters import Filter
from mailweir.records.search_keys import Sought
from mailweir.records.search_where import Way, begins, where
from mailweir.records.sql import Budget, Sql, all_of, any_of, numbers
from mailweir.records.text import storable
from mailweir.records.words import Outcome, Status

FEW = 20_000  # attempts, or messages, that are checked all at once: by message there are no windows

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
        if named.numbers is not None:
            ways.append(_by_addresses(addresses.ways[0], numbers(named.numbers)))
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
    """By the messages of another way; an attempt may be much younger than its message."""

    def listed(low: int, high: int) -> Sql:
        messages = way.list(0, high)
        return Sql(
            f"SELECT e.id FROM ({messages.text}) c CROSS JOIN delivery e WHERE e.message_id = c.id"
            " AND e.id >= ? AND e.id < ?",
            (*messages.values, low, high),
        )

    return Way(listed, few=FEW, windowed=False)


def _by_addresses(way: Way, some: str) -> Way:
    """By the messages to the addresses, and by those that an alias led to them."""
    by_message = _by_message(way)

    def listed(low: int, high: int) -> Sql:
        forwarded = f"SELECT id FROM delivery WHERE final_id IS NOT NULL AND final_id IN ({some})"
        return by_message.list(low, high) + Sql(f"UNION ALL {forwarded} AND id >= ? AND id < ?", (low, high))

    return Way(listed, few=FEW, windowed=False)
