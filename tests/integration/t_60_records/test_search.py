"""Searches give what reading every record gives, on both databases, whichever way they take."""

from __future__ import annotations

import contextlib
import itertools
import random
from collections.abc import Callable, Iterator
from typing import Any

import peewee
import pytest

from bench.records_data import fill
from mailweir.records import (
    db,
    ids,
    models,
    search,
    search_addresses,
    search_delivery,
    search_keys,
    search_where,
    texts,
)
from mailweir.records.filters import Filter
from mailweir.records.sql import Sql, rows
from mailweir.records.text import storable
from mailweir.records.words import Direction, Outcome, Status
from tests.integration.t_60_records.conftest import configured
from tests.integration.t_60_records.reference import Kept

NOW = 1_795_500_000.0
HOSTILE = (
    "%", "_", "100%_", "'", '"', '""', "\\", "\\%", "a\\", "*", "anna*", "NEAR(a b)", "anna OR ben",
    "NOT anna", "{a}", "^ben", "subject:x", "-anna", "(", ")", "'; DROP TABLE message; --", "?", "%s", "$1",
    "\0", "a\0b", "\udcff\udcfe", "\u202egnp.exe", "ſ", "İ", "ÜBERWEISUNG", "grüße", "  ", "\n", "\x1b[31m",
    "💥💥💥", "x" * 1000, "@", ".", "<", "<>", "<@>", "a@", "..", "@@", "ß", "\ufffe",
)  # fmt: skip


@pytest.fixture(scope="module")
def kept(new_url: Callable[[], str]) -> Iterator[Kept]:
    """A filled database, as the reference reads it."""
    database = db.connect(configured(new_url()))
    fill(database, 300, seed=7, now=NOW)
    _add_odd_ones(database)
    while texts.index_texts(database, 300):
        pass
    _add_unindexed(database)
    yield Kept.read(database)
    database.close()
    models.database.initialize(None)


_turn = itertools.count()


@contextlib.contextmanager
def plans() -> Iterator[None]:
    """Every second time with limits so small that every way of searching is taken."""
    with pytest.MonkeyPatch.context() as patch:
        if next(_turn) % 2:
            patch.setattr(search_keys, "VERY_FEW", 2)
            patch.setattr(search_keys, "NAMED", 10)
            patch.setattr(search_keys, "PROBE", 15)
            patch.setattr(search_keys, "SECOND_PROBE", 30)
            patch.setattr(search_where.Way.__init__, "__defaults__", (20, True, False))
            patch.setattr(search_delivery, "FEW", 20)
            patch.setattr(search_addresses, "MOST", 4)
        yield


def _add_odd_ones(database: peewee.Database) -> None:
    """Subjects, addresses and files that contain what the filters below look for."""
    source = ids.IdSource(3, 5)
    for number, text in enumerate(HOSTILE):
        kept = storable(text)
        _add(
            database,
            source.next(int(NOW * 1000) - 60_000 * number),
            kept,
            f"{kept}@Odd.Example",
            f"{kept}.exe",
            number,
        )


def _add_unindexed(database: peewee.Database) -> None:
    """Messages that the text index does not know yet."""
    source = ids.IdSource(4, 5)
    for number in range(30):
        subject = f"Late {number} Überweisung"
        key = source.next(int(NOW * 1000) - 3_600_000 * number)
        _add(database, key, subject, f"late{number}@sub.odd.example", f"late{number}.pdf", number)


def _add(database: peewee.Database, key: int, subject: str, address: str, file: str, number: int) -> None:
    def number_of(text: str) -> int:
        found, _ = models.Address.get_or_create(
            address=text,
            defaults={"folded": text.lower(), "domain_reversed": text.rpartition("@")[2].lower()[::-1]},
        )
        return int(found.id)

    sender, to = number_of(address), number_of("Anna@Example.ORG")
    models.Message.insert(
        id=key,
        node_id=3,
        source=2,
        sender_id=sender,
        subject=subject,
        message_id=f"<{number}@odd>",
        client_ip="2001:db8::1",
    ).execute()
    models.Recipient.insert(
        message_id=key, address_id=to, direction=1 + number % 3, status=1 + number % 10, verdict="stall"
    ).execute()
    models.Attachment.insert(message_id=key, part="2", name=file, sha256=f"{number:064x}").execute()
    models.Leg.insert(
        id=key, node_id=3, queue_id=f"ODD{number}", arrival=key, message_id=key, kind=1, queue=1
    ).execute()
    models.Delivery.insert(
        id=key + 7,
        message_id=key,
        leg_id=key,
        address_id=to,
        final_id=sender,
        status=1 + number % 8,
        relay_ip="2001:db8::25",
    ).execute()


def whole(ask: Callable[..., search.Page[Any]], wanted: Filter, limit: int) -> list[Any]:
    """All pages, one after the other."""
    rows: list[Any] = []
    below = None
    while True:
        page = ask(wanted, below=below, limit=limit)
        assert not page.partial
        rows += page.rows
        if page.next is None:
            return rows
        assert below is None or page.next < below
        assert page.rows
        below = page.next


def same_answers(kept: Kept, wanted: Filter, limit: int = 40, *, few_lists: bool = False) -> int:
    """Compare the four lists (or two of them) with the reference; how many rows they had."""
    with plans():
        messages = whole(search.mail_in, wanted, limit)
        assert [row.id for row in messages] == kept.mail_in(wanted)
        deliveries = whole(search.delivery, wanted, limit)
        assert [row.id for row in deliveries] == kept.delivery(wanted)
        if not few_lists:
            pending = whole(search.pending, wanted, limit)
            assert [(row.id, row.recipient) for row in pending] == kept.pending(wanted)
            asked = kept.asked(wanted) or {Status.STALLED}
            held = whole(search.quarantine, wanted, limit)
            assert [row.id for row in held] == kept.mail_in(wanted, tuple(asked & {Status.STALLED}))
    return len(messages) + len(deliveries)


def test_no_filter(kept: Kept) -> None:
    assert same_answers(kept, Filter(), limit=33) > 600


def test_status(kept: Kept) -> None:
    for status in Status:
        assert same_answers(kept, Filter(status=(status,)))


def test_words(kept: Kept) -> None:
    for outcome in Outcome:
        assert same_answers(kept, Filter(outcome=(outcome,)))
    for direction in Direction:
        assert same_answers(kept, Filter(direction=(direction,)), limit=100)
    for verdict in ("accept", "stall", "reject", "defer"):
        assert same_answers(kept, Filter(verdict=verdict), limit=100) or verdict == "defer"
    assert same_answers(kept, Filter(status=(Status.DELIVERED, Status.FAILED)), limit=100)
    assert same_answers(kept, Filter(status=(Status.STALLED, Status.REJECTED)))


def test_addresses(kept: Kept) -> None:
    some = random.Random(3).sample(sorted(kept.messages.values(), key=lambda row: row["id"]), 5)
    terms = ["news@bulk.example.net", "NEWS@bulk", "<>", "@example.org", ".example.org", ".example.de",
             "@odd.example", ".odd.example", ".EXAMPLE", "anna", "Anna@Example.ORG", "<anna@example.org>",
             "a", "an", "@no.such"]  # fmt: skip
    terms += [row["sender"] for row in some] + [
        row["recipients"][0]["address"] for row in some if row["recipients"]
    ]
    terms += [row["sender"][:6] for row in some] + ["@" + row["sender"].rpartition("@")[2] for row in some]
    rows = 0
    for term in filter(None, terms):
        rows += same_answers(kept, Filter(sender=term), limit=60)
        rows += same_answers(kept, Filter(recipient=term), limit=60)
    assert rows > 500
    for row in some:
        if row["sender"] and row["recipients"]:
            assert same_answers(kept, Filter(sender=row["sender"], recipient=row["recipients"][0]["address"]))


def test_texts(kept: Kept) -> None:
    some = random.Random(4).sample(sorted(kept.messages.values(), key=lambda row: row["id"]), 6)
    terms = [
        "invoice",
        "INVOICE",
        "überweisung",
        "ÜBERWEISUNG",
        "st",
        "x",
        "late 1",
        "Late",
        "zzzz",
        ".pdf",
        "straße",
    ]
    terms += [row["subject"] for row in some] + [row["subject"].split()[-1] for row in some]
    rows = 0
    for term in terms:
        rows += same_answers(kept, Filter(subject=term), limit=60)
        rows += same_answers(kept, Filter(file=term), limit=60)
        rows += same_answers(kept, Filter(text=term), limit=60)
    assert rows > 500
    assert same_answers(kept, Filter(text="anna re"))
    assert same_answers(kept, Filter(file=f"{7:064x}"))
    name = next(row["files"][0]["name"] for row in some[::-1] + list(kept.messages.values()) if row["files"])
    assert same_answers(kept, Filter(file=name))


def test_names(kept: Kept) -> None:
    some = random.Random(5).sample([row for row in kept.messages.values() if row["queue_ids"]], 5)
    for row in some:
        assert same_answers(kept, Filter(id=row["id"]))
        assert same_answers(kept, Filter(queue_id=next(iter(row["queue_ids"]))))
        assert same_answers(kept, Filter(message_id=row["message_id"]))
        assert same_answers(kept, Filter(message_id=row["message_id"].strip("<>")))
        same_answers(kept, Filter(ip=row["client_ip"]))
    for address in ("198.51.1.", "192.0.2.25", "192.0.", "2001:db8:", "2001:db8::25", "203.0.113.9"):
        assert same_answers(kept, Filter(ip=address), limit=100)
    assert same_answers(kept, Filter(node=3))
    assert not same_answers(kept, Filter(id=5, queue_id="none"))


def test_times(kept: Kept) -> None:
    day = 86_400
    for after, before in (
        (NOW - day, None),
        (None, NOW - 80 * day),
        (NOW - 30 * day, NOW - 20 * day),
        (NOW + day, None),
    ):
        rows = same_answers(kept, Filter(after=after, before=before), limit=100)
        assert bool(rows) is (after != NOW + day)
    assert same_answers(kept, Filter(after=NOW - 40 * day, sender="news@bulk.example.net", subject="e"))
    assert not same_answers(kept, Filter(before=-1e12))
    assert same_answers(kept, Filter(before=1e15, after=-1e15), limit=100)


def test_domains(kept: Kept) -> None:
    partner = next(row["sender"] for row in kept.messages.values() if "@" in row["sender"]).rpartition("@")[2]
    assert same_answers(kept, Filter(domains=("example.org",)), limit=100)
    same_answers(kept, Filter(domains=(partner, "odd.example")))
    assert same_answers(kept, Filter(domains=("example.org",), text="anna"), limit=100)
    assert not same_answers(kept, Filter(domains=()))
    assert not same_answers(kept, Filter(domains=("nobody.example",)))


def test_several_fields(kept: Kept) -> None:
    dice = random.Random(6)
    values: dict[str, list[Any]] = {
        "sender": ["@bulk.example.net", "a", ".example.de", "anna"],
        "recipient": ["@example.org", "ben", "nils.", ".example"],
        "subject": ["invoice", "e", "an", "late"],
        "text": ["anna", "org", "re"],
        "status": [(Status.DELIVERED,), (Status.FAILED,), (Status.DEFERRED, Status.STALLED)],
        "direction": [(Direction.INBOUND,), (Direction.OUTBOUND, Direction.INTERNAL)],
        "ip": ["198.51.", "192.0.2.25"],
        "file": [".pdf", "a"],
        "after": [NOW - 50 * 86_400],
        "domains": [("example.org",)],
    }
    rows = 0
    for _ in range(40):
        fields = dice.sample(sorted(values), dice.choice((2, 2, 3)))
        rows += same_answers(kept, Filter(**{name: dice.choice(values[name]) for name in fields}), limit=100)
    assert rows > 100


def test_hostile_text(kept: Kept) -> None:
    for text in HOSTILE:
        shown = storable(text)
        for field in ("sender", "recipient", "subject", "file"):
            if text.strip():
                same_answers(kept, Filter(**{field: shown}), limit=400, few_lists=True)
            if shown != text:
                raw = Filter(**{field: text})
                assert whole(search.mail_in, raw, 400) == whole(search.mail_in, Filter(**{field: shown}), 400)
        for field in ("text", "queue_id", "ip", "message_id", "verdict"):
            for ask in (search.mail_in, search.delivery):
                found = whole(ask, Filter(**{field: text}), 400)
                assert field == "text" or not found or not shown.strip("<>.: ")
        if text.strip():
            assert kept.mail_in(Filter(subject=shown))


def test_time_budget(kept: Kept) -> None:
    page = search.mail_in(Filter(text="qq", sender="e"), budget=0.0)
    assert page.partial
    assert page.next is not None
    assert not whole(search.mail_in, Filter(text="qqqqqq"), 10)


def test_attempts_for_messages_much_older_are_listed_with_their_window(database: peewee.Database) -> None:
    day = 86_400.0
    messages = {age: ids.first_id(int((NOW - age * day) * 1000)) for age in (40, 20, 1)}
    for key in messages.values():
        models.Message.create(id=key, node_id=0, source=1, sender_id=1)
        for later in (-0.00001, 18.5):  # the first in a log of whole seconds
            attempt = ids.first_id(ids.milliseconds_of(key) + int(later * day * 1000))
            models.Delivery.create(id=attempt, message_id=key, leg_id=1, address_id=1, status=1)
    every = search_where.Way(
        lambda low, high: Sql("SELECT id FROM message WHERE id >= ? AND id < ?", (low, high))
    )
    listed = search_delivery._by_message(every).list
    made = sorted(row.id for row in models.Delivery.select())
    for low, high in itertools.combinations(sorted([0, *made, *(key + 1 for key in made)]), 2):
        found = sorted(row[0] for row in rows(listed(low, high)))
        assert found == [key for key in made if low <= key < high], (low, high)
