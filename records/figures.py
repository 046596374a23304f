"""Counts recipients for the overview, all of them or only those that a user limited to domains may see."""

from __future__ import annotations

from mailweir.records.search_where import visible
from mailweir.records.sql import Sql, one, rows
from mailweir.records.words import Status

Domains = tuple[str, ...]  # that a user is limited to; none: no limit
# Looked up for outbound mail only, where it decides.
_SENDER = "(SELECT m.sender_id FROM message m WHERE m.id = r.message_id)"


def of(select: str, domains: Domains, joins: str = "") -> Sql:
    """A selection from the recipients `r` that may be seen, up to and with WHERE and its first condition."""
    if not domains:
        return Sql(f"{select} FROM recipient r {joins} WHERE 1 = 1")
    return Sql(f"{select} FROM recipient r {joins} WHERE ") + visible(domains, sender=_SENDER)


def by_status(low: int, high: int, domains: Domains) -> list[tuple[int, int, int]]:
    """Direction, status and number of the recipients of the messages in a range of IDs."""
    select = of("SELECT r.direction, r.status, count(*)", domains)
    found = rows(
        select + Sql("AND r.message_id >= ? AND r.message_id < ? GROUP BY r.direction, r.status", (low, high))
    )
    return [(row[0], row[1], row[2]) for row in found]


def waiting(status: Status, domains: Domains, most: int) -> tuple[int, int | None]:
    """How many recipients have that status, `most` at the most, and the ID of the oldest one's message."""
    mine = of("SELECT r.message_id AS id", domains) + Sql(f"AND r.status <> 5 AND r.status = {status:d}")
    count = one(Sql(f"SELECT count(*) FROM ({mine.text} LIMIT {most}) c", mine.values))
    oldest = one(mine + Sql("ORDER BY r.message_id LIMIT 1")) if count and count[0] else None
    return (count[0] if count else 0), (oldest[0] if oldest else None)


def newest(status: Status, first: int, domains: Domains, most: int) -> list[tuple[str, str, str]]:
    """DSN, reply and reversed destination domain of the newest recipients with that status from an ID on."""
    joins = "JOIN address a ON a.id = r.address_id"
    select = of("SELECT r.dsn, r.reply, a.domain_reversed", domains, joins)
    wanted = f"AND r.status <> 5 AND r.status = {status:d} AND r.message_id >= ?"
    found = rows(select + Sql(f"{wanted} ORDER BY r.message_id DESC LIMIT {most}", (first,)))
    return [(row[0], row[1], row[2]) for row in found]


def with_findings(first: int, domains: Domains, most: int) -> list[int]:
    """The newest messages, from an ID on, in which something was found."""
    found = "EXISTS (SELECT 1 FROM finding f WHERE f.message_id = m.id)"
    statement = Sql(f"SELECT m.id FROM message m WHERE m.id >= ? AND {found}", (first,))
    if domains:
        mine = visible(domains)
        exists = f"EXISTS (SELECT 1 FROM recipient r WHERE r.message_id = m.id AND {mine.text})"
        statement += Sql(f"AND {exists}", mine.values)
    return [row[0] for row in rows(statement + Sql(f"ORDER BY m.id DESC LIMIT {most}"))]
