"""The overview's counts, for all and for users limited to domains, are those of counting rows in Python."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import peewee
import pytest

from bench.records_data import fill
from mailweir.records import figures, groups, next_attempts, reasons
from mailweir.records.models import Address, Leg, Message, Recipient
from mailweir.records.words import PENDING, Direction, Queue, Status

NOW = 1_795_500_000.0
LIMITS: tuple[figures.Domains, ...] = ((), ("example.org",), ("no.example",))


@pytest.fixture
def seen(database: peewee.Database) -> Iterator[Any]:
    """Gives all recipients as tuples that a user limited to these domains may see."""
    fill(database, 300, seed=11, now=NOW)
    address = {row.id: row.address for row in Address.select()}
    sender = {row.id: address[row.sender_id] for row in Message.select()}

    def of(domains: figures.Domains) -> list[Recipient]:
        found = []
        for row in Recipient.select().order_by(Recipient.message_id.desc()):
            parties = {sender[row.message_id]} if row.direction != Direction.INBOUND else set()
            parties |= {address[row.address_id]} if row.direction != Direction.OUTBOUND else set()
            if not domains or {party.rpartition("@")[2] for party in parties} & set(domains):
                found.append(row)
        return found

    yield of


@pytest.mark.parametrize("domains", LIMITS)
def test_counts_are_those_of_every_row(seen: Any, domains: figures.Domains) -> None:
    rows = seen(domains)
    assert bool(rows) == (domains != ("no.example",))
    counted = Counter({(way, status): n for way, status, n in figures.by_status(0, 1 << 62, domains)})
    assert counted == Counter((row.direction, row.status) for row in rows)
    for status in PENDING:
        mine = [row.message_id for row in rows if row.status == status]
        assert figures.waiting(status, domains, 1_000_000) == (len(mine), min(mine, default=None))
        assert figures.waiting(status, domains, 2)[0] == min(2, len(mine))
    failed = [(row.dsn, row.reply) for row in rows if row.status == Status.FAILED]
    newest = figures.newest(Status.FAILED, 0, domains, 1_000_000)
    assert Counter(row[:2] for row in newest) == Counter(failed)
    stalled = {row.message_id for row in rows}
    found = figures.with_findings(0, domains, 1_000_000)
    assert found == sorted(set(found), reverse=True) and set(found) <= stalled
    assert set(found) == {n for n in figures.with_findings(0, (), 1_000_000) if n in stalled}


@pytest.mark.parametrize("domains", LIMITS)
@pytest.mark.parametrize("by", groups.BY)
def test_groups_are_those_of_every_row(seen: Any, by: str, domains: figures.Domains) -> None:
    waiting = [row for row in seen(domains) if row.status in PENDING]
    address = {row.id: row.address for row in Address.select()}
    names: Counter[str] = Counter()
    for row in waiting:
        status = Status(row.status)
        reason = reasons.of_recipient(status, row.dsn, row.reply, row.verdict) or status.word
        domain = address[row.address_id].rpartition("@")[2]
        names[{"destination": domain, "reason": reason, "status": status.word}[by]] += 1
    all_ = groups.grouped(by, domains, 1_000_000)
    found = all_.rows
    assert (all_.recipients, all_.total, all_.complete) == (len(waiting), len(found), True)
    assert groups.grouped(by, domains, 1).rows == found[:1]
    counted: Counter[str] = Counter()
    for group in found:
        counted[group.name] += group.recipients
        assert 0 < group.oldest <= group.newest <= NOW + 86_400
    assert counted == names
    assert [group.recipients for group in found] == sorted((g.recipients for g in found), reverse=True)


def test_next_attempts_are_kept_and_forgotten(database: peewee.Database, seen: Any) -> None:
    Leg.update(queue=Queue.DEFERRED).execute()
    legs = list(Leg.select())
    node, schedule = legs[0].node_id, {leg.queue_id: NOW + 60 for leg in legs[1:]}
    mine = [leg for leg in legs[1:] if leg.node_id == node]
    later = max(row.changed for row in seen(())) + 1
    assert next_attempts.store(database, node, schedule, later) == len(mine)
    assert next_attempts.store(database, node, schedule, later) == 0
    assert next_attempts.store(database, node, {}, later) == len(mine)
    assert Leg.select().where(Leg.next_attempt.is_null(False)).count() == 0
