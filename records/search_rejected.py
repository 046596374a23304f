"""The list Rejected: attempts to send us mail that Postfix refused before there was a message."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from mailweir.records.filters import Filter
from mailweir.records.search_addresses import Addresses, having, in_domain, resolve
from mailweir.records.search_keys import Sought, find
from mailweir.records.search_lists import cut, range_of
from mailweir.records.search_where import Way, begins, by_addresses, union, words_of
from mailweir.records.sql import (
    Budget,
    OutOfTime,
    Sql,
    all_of,
    any_of,
    batches,
    contains,
    folded,
    numbers,
    rows,
    sqlite,
)
from mailweir.records.text import fold, storable
from mailweir.records.texts import SHORTEST, Kind, trigrams
from mailweir.records.views import Page, RejectRow, time_of

TEXTS = ("reply", "helo", "client_name")
_IP = re.compile(r"\d{1,3}(\.\d{0,3}){0,3}|[0-9a-fA-F]*:[0-9a-fA-F:.]*")
_SELECT = """
SELECT r.id, coalesce(n.name, ''), r.node_id, r.service, r.queue_id, r.stage, r.client_ip, r.client_name,
       r.helo, s.address, a.address, r.code, r.dsn, r.reply
FROM reject r LEFT JOIN node n ON n.id = r.node_id LEFT JOIN address s ON s.id = r.sender_id
LEFT JOIN address a ON a.id = r.recipient_id WHERE """


def rejected(
    wanted: Filter, *, below: int | None = None, limit: int = 50, budget: float | None = None
) -> Page[RejectRow]:
    """Refused attempts, newest first; only filters.REJECTED_FIELDS and domains count."""
    clock = Budget(budget)
    try:
        sought, ways = _where(wanted, clock)
    except OutOfTime:
        return Page((), below, partial=True)
    low, high = range_of(wanted, below)
    found = find(sought, ways, low=low, high=high, need=limit + 1, budget=clock)
    keys, following = cut(found, limit)
    some = [Sql(f"r.id IN ({numbers(part)})") for part in batches(keys)]
    listed = tuple(RejectRow(**values) for part in some for values in fields(part))
    return Page(listed, following, found.partial)


def fields(where: Sql, read: Callable[[Sql], Iterable[Sequence[Any]]] = rows) -> Iterator[dict[str, Any]]:
    """RejectRow's values by name, of the attempts that a condition on `r` selects, newest first."""
    for row in read(Sql(_SELECT) + where + Sql("ORDER BY r.id DESC")):
        yield {
            "id": row[0],
            "time": time_of(row[0]),
            "node": row[1] or str(row[2]),
            "service": row[3],
            "queue_id": row[4],
            "stage": row[5],
            "client_ip": row[6],
            "client_name": row[7],
            "helo": row[8],
            "sender": row[9],
            "recipient": row[10],
            "code": row[11],
            "dsn": row[12],
            "reply": row[13],
        }


def _where(wanted: Filter, budget: Budget) -> tuple[Sought, list[Way]]:
    """The condition on `r` (reject) and the ways there."""
    conditions: list[Sql] = []
    ways: list[Way] = []
    if wanted.client:
        client = storable(wanted.client)
        if _IP.fullmatch(client):
            conditions.append(begins("r.client_ip", client))
            ways.append(_way(conditions[-1]))
        else:
            conditions.append(contains(folded("r.client_name"), fold(client)))
            ways += _by_text(fold(client))
    if wanted.helo:
        conditions.append(contains(folded("r.helo"), fold(storable(wanted.helo))))
        ways += _by_text(fold(storable(wanted.helo)))
    for column, term in (("sender_id", wanted.sender), ("recipient_id", wanted.recipient)):
        if term:
            addresses = resolve(term, budget)
            conditions.append(_named(column, addresses))
            ways += _by_address(column, addresses)
    if wanted.code:
        conditions.append(_code(wanted.code))
        ways += _by_text(wanted.code)
    for word in words_of(wanted.text):
        condition, way = _anywhere(word, budget)
        conditions.append(condition)
        ways += way
    if wanted.node is not None:
        conditions.append(Sql("r.node_id = ?", (wanted.node,)))
    if wanted.domains is not None:
        of_them = any_of(in_domain(fold(storable(domain))) for domain in wanted.domains)
        conditions.append(_named("recipient_id", Addresses(of_them, None)))
        known = [resolve("@" + domain, budget) for domain in wanted.domains]
        ways += [union([way for each in known for way in _by_address("recipient_id", each)])] if known else []
    return Sought("reject", "r", "", all_of(conditions)), ways


def _named(column: str, addresses: Addresses) -> Sql:
    holds = addresses.hold(f"r.{column}")
    return Sql(f"r.{column} IS NOT NULL AND {holds.text}", holds.values)


def _way(condition: Sql) -> Way:
    """By an index that serves the condition on `r`."""
    select = f"SELECT r.id FROM reject r WHERE {condition.text} AND r.id >= ? AND r.id < ?"
    return Way(lambda low, high: Sql(select, (*condition.values, low, high)))


def _by_address(column: str, addresses: Addresses) -> list[Way]:
    return by_addresses(addresses, "reject", column, "id")


def _by_text(part: str) -> list[Way]:
    """By the text index; there is no way for a part that is too short for one."""
    if len(part) < SHORTEST:
        return []
    if not sqlite():
        said = folded("(r.client_name || ' ' || r.helo || ' ' || r.reply)")
        return [_way(contains(said, part))]
    index, step = Kind.REJECT.table, Kind.REJECT.step
    indexed = (
        f"SELECT k.id FROM {index} CROSS JOIN reject k WHERE k.id >= {index}.rowid << {step}"
        f" AND k.id < ({index}.rowid + 1) << {step} AND {index} MATCH ?"
        f" AND {index}.rowid >= ? AND {index}.rowid <= ? AND k.id >= ? AND k.id < ?"
    )
    noted = f"SELECT id FROM text_todo WHERE kind = {Kind.REJECT:d} AND id >= ? AND id < ?"

    def listed(low: int, high: int) -> Sql:
        ends = low >> step, high >> step
        return Sql(f"{indexed} UNION ALL {noted}", (trigrams(part), *ends, low, high, low, high))

    return [Way(listed)]


def _code(code: str) -> Sql:
    """Whether the reply has that code, or that enhanced code, or one that begins so."""
    if "." in code:
        whole = code.removesuffix(".")
        return Sql("(r.dsn = ? OR r.dsn LIKE ?)", (whole, f"{whole}.%"))
    tens = 10 ** (3 - len(code))
    return Sql("r.code >= ? AND r.code < ?", (int(code) * tens, (int(code) + 1) * tens))


def _anywhere(word: str, budget: Budget) -> tuple[Sql, list[Way]]:
    """Whether a word stands in the reply, the client's names, the sender or the recipient."""
    addresses = having(word, budget)
    said = [contains(folded(f"r.{column}"), word) for column in TEXTS]
    named = [_named(column, addresses) for column in ("sender_id", "recipient_id")]
    by_text = _by_text(word)
    if not by_text or addresses.numbers is None:
        return any_of([*said, *named]), []
    if not addresses.numbers:
        return any_of(said), by_text
    by_address = [_by_address(column, addresses)[0] for column in ("sender_id", "recipient_id")]
    return any_of([*said, *named]), [union([*by_text, *by_address])]
