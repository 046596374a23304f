"""Synthetic refused attempts: floods from a few networks, guessed recipients, and some of everything else."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Any

from peewee import Database

from mailweir.postlog.changes import Changes
from mailweir.records import ids
from mailweir.records.ingest_rows import Writer

DAYS = 90
BATCH = 10_000
_REPLIES = (
    (554, "5.7.1", "Service unavailable; Client host [{ip}] blocked using {list}; see https://{list}/{ip}"),
    (550, "5.1.1", "<{to}>: Recipient address rejected: User unknown in relay recipient table"),
    (454, "4.7.1", "<{to}>: Relay access denied"),
    (450, "4.7.25", "Client host rejected: cannot find your hostname, [{ip}]"),
    (504, "5.5.2", "<{helo}>: Helo command rejected: need fully-qualified hostname"),
    (550, "5.7.23", "<{to}>: Recipient address rejected: SPF says no, ticket {number}"),
)


def fill(database: Database, count: int, *, seed: int, now: float) -> None:
    """Write so many refused attempts, spread over DAYS days up to `now`."""
    writer, rows = Writer(database), _rows(random.Random(seed), count, now)
    while batch := list(itertools.islice(rows, BATCH)):
        with database.atomic():
            writer.apply(Changes(rejects=batch))


def _rows(dice: random.Random, count: int, now: float) -> Iterator[tuple[Any, ...]]:
    """In the order of changes.REJECT."""
    source, step = ids.IdSource(0, ids.AGENT_SLOT), DAYS * 86_400 / count
    for number in range(count):
        network = dice.choice(
            (f"198.51.{dice.randrange(100)}", "203.0.113", f"2001:db8:{dice.randrange(99):x}:")
        )
        ip = f"{network}{':' if network.endswith(':') else '.'}{dice.randrange(1, 255)}"
        name = dice.choice(("unknown", f"host{dice.randrange(9_999)}.isp{dice.randrange(300)}.example"))
        helo = dice.choice((name, f"[{ip}]", f"mail{dice.randrange(5_000)}.spam.example", "ylmf-pc"))
        sender = f"{dice.choice('abcdefgh')}{dice.randrange(20_000)}@{dice.choice(('spam', 'odd'))}.example"
        to = f"guess{dice.randrange(4_000)}@{dice.choice(('example.org', 'example.net', 'far.example'))}"
        code, dsn, text = dice.choices(_REPLIES, (50, 30, 8, 6, 5, 1))[0]
        said = text.format(
            ip=ip, to=to, helo=helo, number=number, list=dice.choice(("bl.example", "xbl.example"))
        )
        known = code != 450
        yield (
            source.next(int(1000 * (now - (count - number) * step))), 0, "smtpd", "",
            "RCPT" if known else "CONNECT", ip, name, helo, sender if known else None, to if known else None,
            code, dsn, f"{code} {dsn} {said}",
        )  # fmt: skip
