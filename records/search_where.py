"""Turns a Filter into conditions, and into the ways that lead to the messages which meet them.

A way is a statement that lists the candidate messages of one field by an index. Conditions are checked for
every candidate whatever the way, so a way may list too many, never too few.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from mailweir.records.filters import Filter
from mailweir.records.search_addresses import Addresses, having, resolve
from mailweir.records.sql import Budget, Sql, all_of, any_of, contains, folded, numbers, sqlite
from mailweir.records.text import fold, storable
from mailweir.records.texts import SHORTEST, TICK_BITS, Kind, trigrams
from mailweir.records.words import Outcome, Status

FEW = 2_000  # candidates that are checked all at once
RARE = 10_000  # the same of those that an index of few rows lists
FEW_ADDRESSES = 200  # of which each is looked up in every window
_LED_TO = {
    Outcome.SENT: Status.DELIVERED,
    Outcome.DEFERRED: Status.DEFERRED,
    Outcome.BOUNCED: Status.FAILED,
    Outcome.EXPIRED: Status.FAILED,
    Outcome.FORCE_EXPIRED: Status.RETURNED,
    Outcome.UNDELIVERABLE: Status.FAILED,
    Outcome.DELIVERABLE: Status.DELIVERED,
    Outcome.DISCARDED: Status.DELETED,
}
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Way:
    """Lists the candidates of one field, with IDs from the first number up to, but without, the second."""

    list: Callable[[int, int], Sql]  # SELECT … AS id …, each ID perhaps more than once
    few: int = FEW
    windowed: bool = True  # whether a narrow range is listed faster than a wide one
    costly: bool = False  # even the narrowest takes its time: by very many addresses


@dataclass(frozen=True)
class Where:
    """What a Filter asks of `m` (message) and of one of its recipients `r`, and the ways there."""

    message: Sql
    recipient: Sql  # on r and m
    any_recipient: bool  # nothing is asked of a recipient: a message without one is a match as well
    visible: Sql  # on r and m: the recipients that the user may see
    ways: tuple[Way, ...]
    recipient_addresses: Addresses | None

    def holds(self) -> Sql:
        """All of it as one condition on `m`."""
        if self.any_recipient:
            return self.message
        matches = Sql(
            "EXISTS (SELECT 1 FROM recipient r WHERE r.message_id = m.id AND "
            f"{self.recipient.text} AND {self.visible.text})",
            self.recipient.values + self.visible.values,
        )
        return all_of([self.message, matches])


def where(wanted: Filter, budget: Budget, *, statuses: Sequence[Status] | None = None) -> Where:
    """The conditions of a Filter; `statuses` stands for Filter.status where a list has its own."""
    message: list[Sql] = []
    recipient: list[Sql] = []
    ways: list[Way] = []
    addresses = None
    if wanted.id is not None:
        message.append(Sql("m.id = ?", (wanted.id,)))
        ways.append(_way("SELECT id FROM message WHERE id = ?", "id", wanted.id))
    if wanted.queue_id:
        queue_id = storable(wanted.queue_id)
        message.append(Sql("m.id IN (SELECT message_id FROM leg WHERE queue_id = ?)", (queue_id,)))
        ways.append(_way("SELECT message_id AS id FROM leg WHERE queue_id = ?", "message_id", queue_id))
    if wanted.message_id:
        bare = storable(wanted.message_id).strip("<>")
        header = Sql("m.message_id <> '' AND m.message_id IN (?, ?)", (bare, f"<{bare}>"))
        message.append(header)
        ways.append(_way(f"SELECT m.id FROM message m WHERE {header.text}", "m.id", *header.values))
    if wanted.ip:
        address = begins("m.client_ip", storable(wanted.ip))
        message.append(address)
        ways.append(_way(f"SELECT m.id FROM message m WHERE {address.text}", "m.id", *address.values))
    if wanted.sender:
        senders = resolve(wanted.sender, budget)
        message.append(senders.hold("m.sender_id"))
        ways += _by_sender(senders)
    if wanted.recipient:
        addresses = resolve(wanted.recipient, budget)
        recipient.append(addresses.hold("+r.address_id"))
        ways += _by_recipient(addresses)
    if wanted.subject:
        part = fold(storable(wanted.subject))
        message.append(contains(folded("m.subject"), part))
        ways += _by_text(Kind.SUBJECT, part)
    if wanted.file:
        message.append(_file(fold(storable(wanted.file))))
        ways += _by_file(fold(storable(wanted.file)))
    for word in words_of(wanted.text):
        condition, way = _anywhere(word, wanted.domains, budget)
        message.append(condition)
        ways += way
    if wanted.node is not None:
        message.append(Sql("m.node_id = ?", (wanted.node,)))
    if wanted.direction:
        recipient.append(Sql(f"r.direction IN ({numbers(wanted.direction)})"))
    if wanted.verdict:
        verdict = storable(wanted.verdict)
        recipient.append(Sql("r.verdict = ?", (verdict,)))
        if wanted.verdict != "accept":
            rare = (
                "SELECT message_id AS id FROM recipient WHERE verdict NOT IN ('', 'accept') AND verdict = ?"
            )
            ways.append(_way(rare, "message_id", verdict))
    kinds = statuses_of(wanted) if statuses is None else statuses
    if kinds or statuses is not None:
        recipient.append(Sql(f"r.status IN ({numbers(kinds)})"))
        if Status.DELIVERED not in kinds:
            rare = (
                f"SELECT message_id AS id FROM recipient WHERE status <> 5 AND status IN ({numbers(kinds)})"
            )
            ways.append(replace(_way(rare, "message_id"), few=RARE))
    if wanted.domains:
        ways += _by_domains(wanted.domains, budget)
    return Where(
        message=all_of(message),
        recipient=all_of(recipient),
        any_recipient=not recipient and wanted.domains is None,
        visible=visible(wanted.domains),
        ways=tuple(ways),
        recipient_addresses=addresses,
    )


def statuses_of(wanted: Filter) -> tuple[Status, ...]:
    """The statuses that a Filter asks for; outcomes of attempts stand for what they led to."""
    return tuple(sorted({*wanted.status, *(_LED_TO[outcome] for outcome in wanted.outcome)}))


def begins(column: str, text: str) -> Sql:
    """Whether an IP address is the text, or begins with it when it ends in a dot or a colon."""
    if text.endswith((".", ":")):
        end = text[:-1] + chr(ord(text[-1]) + 1)
        return Sql(f"{column} <> '' AND {column} >= ? AND {column} < ?", (text, end))
    return Sql(f"{column} <> '' AND {column} = ?", (text,))


def visible(domains: Sequence[str] | None, recipient: str = "r", sender: str = "m.sender_id") -> Sql:
    """Whether the local party (the sender of outbound mail, else the recipient) is in one of the domains."""
    if domains is None:
        return Sql("1 = 1")
    if not domains:
        return Sql("1 = 0")
    marks = ", ".join("?" * len(domains))
    backwards = tuple(fold(storable(domain))[::-1] for domain in domains)

    def is_in(column: str) -> str:
        return f"EXISTS (SELECT 1 FROM address y WHERE y.id = {column} AND y.domain_reversed IN ({marks}))"

    return Sql(
        f"(({recipient}.direction <> 1 AND {is_in(sender)})"
        f" OR ({recipient}.direction <> 2 AND {is_in(f'{recipient}.address_id')}))",
        backwards + backwards,
    )


def _way(select: str, key: str, *values: object) -> Way:
    return Way(lambda low, high: Sql(f"{select} AND {key} >= ? AND {key} < ?", (*values, low, high)))


def _by_sender(addresses: Addresses) -> list[Way]:
    return by_addresses(addresses, "message", "sender_id", "id")


def _by_recipient(addresses: Addresses) -> list[Way]:
    return by_addresses(addresses, "recipient", "address_id", "message_id")


def by_addresses(addresses: Addresses, table: str, column: str, key: str, also: str = "") -> list[Way]:
    """By the rows `t` that name the addresses; also: what else they must meet."""
    listed = addresses.rows_of(table, column, key)
    if listed is None:
        return []
    return [
        Way(
            lambda low, high: listed + Sql(f"AND t.{key} >= ? AND t.{key} < ? {also}", (low, high)),
            costly=addresses.numbers is None or len(addresses.numbers) > FEW_ADDRESSES,
        )
    ]


def _by_domains(domains: Sequence[str], budget: Budget) -> list[Way]:
    """By the domains' addresses, where they are the local party; costly, as each is looked up for that."""
    known = [resolve("@" + domain, budget) for domain in domains]
    leaves = "AND EXISTS (SELECT 1 FROM recipient o WHERE o.message_id = t.id AND o.direction <> 1)"
    ways = []
    for each in known:
        ways += by_addresses(each, "message", "sender_id", "id", leaves)
        ways += by_addresses(each, "recipient", "address_id", "message_id", "AND t.direction <> 2")
    return [replace(union(ways), costly=True)]


def _by_text(kind: Kind, part: str) -> list[Way]:
    """By the text index; there is no way for a part that is too short for one."""
    if len(part) < SHORTEST:
        return []
    if not sqlite():
        table, column = ("message", "subject") if kind is Kind.SUBJECT else ("attachment", "name")
        key = "id" if kind is Kind.SUBJECT else "message_id"
        condition = contains(folded(column), part)
        return [_way(f"SELECT {key} AS id FROM {table} WHERE {condition.text}", key, *condition.values)]
    index = kind.table
    indexed = (
        f"SELECT k.id FROM {index} CROSS JOIN message k WHERE k.id >= {index}.rowid << {TICK_BITS}"
        f" AND k.id < ({index}.rowid + 1) << {TICK_BITS} AND {index} MATCH ?"
        f" AND {index}.rowid >= ? AND {index}.rowid <= ? AND k.id >= ? AND k.id < ?"
    )
    noted = f"SELECT id FROM text_todo WHERE kind = {kind:d} AND id >= ? AND id < ?"

    def listed(low: int, high: int) -> Sql:
        ticks = low >> TICK_BITS, high >> TICK_BITS
        return Sql(f"{indexed} UNION ALL {noted}", (trigrams(part), *ticks, low, high, low, high))

    return [Way(listed)]


def _file(part: str) -> Sql:
    """Whether a message has a file of that name, or with that SHA-256."""
    named = contains(folded("f.name"), part)
    if _SHA256.fullmatch(part):
        named = any_of([Sql("f.sha256 = ?", (part,)), named])
    return Sql(
        f"EXISTS (SELECT 1 FROM attachment f WHERE f.message_id = m.id AND {named.text})", named.values
    )


def _by_file(part: str) -> list[Way]:
    ways = _by_text(Kind.FILE, part)
    if not _SHA256.fullmatch(part):
        return ways
    digest = _way("SELECT message_id AS id FROM attachment WHERE sha256 = ?", "message_id", part)
    return [union([digest, *ways])]


def union(ways: Sequence[Way]) -> Way:
    """All that any of the ways lists."""

    def listed(low: int, high: int) -> Sql:
        parts = [way.list(low, high) for way in ways]
        values = tuple(value for part in parts for value in part.values)
        return Sql(" UNION ALL ".join(part.text for part in parts), values)

    return Way(listed, windowed=all(way.windowed for way in ways), costly=any(way.costly for way in ways))


def words_of(text: str) -> list[str]:
    """The words of a free text; quotes keep several together."""
    try:
        lexer = shlex.shlex(storable(text), posix=True)
        lexer.whitespace_split, lexer.commenters, lexer.escape, lexer.quotes = True, "", "", '"'
        words = list(lexer)
    except ValueError:
        words = storable(text).split()
    return [fold(word) for word in words if word]


def _anywhere(word: str, domains: Sequence[str] | None, budget: Budget) -> tuple[Sql, list[Way]]:
    """Whether a word stands in subject, sender or a recipient that the user may see."""
    addresses = having(word, budget)
    some_recipient = all_of([addresses.hold("+w.address_id"), visible(domains, "w")])
    condition = any_of(
        [
            contains(folded("m.subject"), word),
            addresses.hold("m.sender_id"),
            Sql(
                f"EXISTS (SELECT 1 FROM recipient w WHERE w.message_id = m.id AND {some_recipient.text})",
                some_recipient.values,
            ),
        ]
    )
    by_subject = _by_text(Kind.SUBJECT, word)
    if not by_subject or addresses.numbers is None:
        return condition, []
    if not addresses.numbers:
        return condition, by_subject
    return condition, [union([*by_subject, *_by_sender(addresses), *_by_recipient(addresses)])]
