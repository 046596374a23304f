"""Synthetic records in any number, the same for the same seed: what searches and pages are measured on.

The shape is that of a mid-sized site: a few thousand own addresses, many rare partners, some very busy
senders, nine of ten messages delivered at the first attempt.
"""

from __future__ import annotations

import itertools
import random
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from peewee import Database

from mailweir.records import ids
from mailweir.records.migrations.dialect import is_sqlite
from mailweir.records.text import fold, reversed_domain

DAYS = 90
BATCH = 10_000
_WORDS = """
account agenda amount annual answer april archive august balance bank billing booking budget calendar
change claim confirm contract copy customer data date deadline december delivery design details document
draft drawing error estimate event exam export feedback file final form forward friday goods group guide
hello holiday house import info inquiry insurance invitation invoice item january job journal july june
kitchen label letter licence list login march meeting member message minutes monday monthly news note
notice number offer office open order package paper part password payment person photo plan please policy
post price print private problem process product project protocol question quote receipt record regular
reminder rental repair reply report request reservation result return review sales sample schedule school
second server service session shipment signature site spring staff statement status stock storage summary
sunday supply support survey system table task team test thanks ticket time today training transfer
travel tuesday update urgent vacation version video visit warning website wednesday week welcome work
workshop year Grüße Überweisung Rechnung Bestätigung Änderung Angebot Straße Köln
"""
_NAMES = """
anna ben carla david elena felix greta hugo ines jonas karla leon maria nils olga paul quinn rosa simon
tina ulrich vera walter xenia yusuf zoe
"""
WORDS, NAMES = _WORDS.split(), _NAMES.split()
_SYLLABLES = """
al bar bec ber bren dal dor ek fal far gal gor hal har hel jan kal kar kel kor lam lan lin lor mar mel mor
a e i o u en er in on an
bach berg dal dorf er feld gard holm ing kamp ker lund mann mark mer nen quist rup sen ski son stad ström wald
"""
SYLLABLES = [line.split() for line in _SYLLABLES.split("\n") if line]
EXTENSIONS = ("pdf", "docx", "xlsx", "zip", "jpg", "png", "txt")
REPLIES = {
    4: (
        "4.2.0",
        "host mx.{0}[203.0.113.{1}] said: 451 4.2.0 mailbox busy, try again later (in reply to RCPT TO)",
    ),
    6: (
        "5.1.1",
        "host mx.{0}[203.0.113.{1}] said: 550 5.1.1 <{2}>: no such user (in reply to RCPT TO command)",
    ),
}


def hash_of(text: str) -> int:
    """A number that is the same in every process, unlike hash()."""
    return zlib.crc32(text.encode())


class Rows:
    """The rows of one batch, by table."""

    def __init__(self) -> None:
        self.tables: dict[str, list[tuple[Any, ...]]] = {}

    def add(self, table: str, *values: Any) -> None:
        """Add a row with a value for each of COLUMNS[table]."""
        self.tables.setdefault(table, []).append(values)


COLUMNS = {
    "address": "id address folded domain_reversed",
    "message": "id node_id source sender_id size subject message_id client_ip client_name helo tls verdict",
    "recipient": "message_id address_id direction status verdict trace leg_id attempts dsn reply changed",
    "leg": "id node_id queue_id arrival message_id kind queue size held removed",
    "delivery": "id message_id leg_id address_id status dsn service relay_host relay_ip relay_port delay "
    "delays reply session_id",
    "session": "id node_id source reconstructed outcome lines",
    "finding": "message_id kind part name detail",
    "attachment": "message_id part name type size sha256",
}


def fill(
    database: Database,
    messages: int,
    *,
    seed: int = 1,
    now: float | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> None:
    """Write so many messages, spread over DAYS days up to `now`, into an empty database."""
    maker = _Maker(random.Random(seed), messages, time.time() if now is None else now)
    done = 0
    for batch in maker.batches():
        with database.atomic():
            for table in COLUMNS:  # addresses first
                if table in batch.tables:
                    _insert(database, table, batch.tables[table])
        done += len(batch.tables["message"])
        progress(done)
    if not is_sqlite(database):
        database.execute_sql(
            "SELECT setval(pg_get_serial_sequence('address', 'id'), (SELECT max(id) FROM address))"
        )
        database.execute_sql("ANALYZE")  # as autovacuum does; in SQLite nobody does, and plans differ by it


def _insert(database: Database, table: str, rows: list[tuple[Any, ...]]) -> None:
    columns = COLUMNS[table].split()
    if is_sqlite(database):
        marks = ", ".join("?" * len(columns))
        database.connection().executemany(
            f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows
        )
        return
    with database.connection().cursor().copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


class _Maker:
    def __init__(self, dice: random.Random, messages: int, now: float) -> None:
        self._dice = dice
        self._messages = messages
        self._now = now
        self._id = ids.IdSource(0, 0)
        self._log_id = ids.IdSource(0, ids.AGENT_SLOT)
        self._known: dict[str, int] = {}
        self._last = [dice.choice(A) + dice.choice(B) + dice.choice(C) for A, B, C in [SYLLABLES] * 1500]
        self._own = sorted(
            {f"{dice.choice(NAMES)}.{dice.choice(self._last)}@example.org" for _ in range(3000)}
        )
        domains = max(50, messages // 100)
        tops = ("com", "net", "de")
        self._domains = [f"{dice.choice(self._last)}{n}.example.{dice.choice(tops)}" for n in range(domains)]

    def batches(self) -> Iterator[Rows]:
        """The rows, so many messages a batch."""
        start = self._now - DAYS * 86_400
        step = (self._now - start - 60) / self._messages
        numbers = iter(range(self._messages))
        while part := list(itertools.islice(numbers, BATCH)):
            batch = Rows()
            for number in part:
                self._message(batch, number, start + number * step)
            yield batch

    def _address(self, batch: Rows, address: str) -> int:
        if address not in self._known:
            self._known[address] = len(self._known) + 1
            batch.add("address", self._known[address], address, fold(address), reversed_domain(address))
        return self._known[address]

    def _partner(self) -> str:
        # Squaring prefers the first: a few partners write every day, most hardly ever.
        domain = self._domains[int(self._dice.random() ** 3 * len(self._domains))]
        first, last = NAMES[hash_of(domain) % len(NAMES)], self._last[hash_of(domain[::-1]) % len(self._last)]
        if self._dice.random() < 0.6:  # most write again and again from the same address
            return f"{first}.{last}@{domain}"
        return f"{self._dice.choice(NAMES)}.{self._dice.choice(self._last)}@{domain}"

    def _own_address(self) -> str:
        return self._own[int(self._dice.random() ** 2 * len(self._own))]

    def _message(self, batch: Rows, number: int, when: float) -> None:
        dice = self._dice
        key = self._id.next(int(when * 1000))
        direction = dice.choices((1, 2, 3), (70, 25, 5))[0]
        sender = self._partner() if direction == 1 else self._own_address()
        if number % 40 == 0:
            sender = "news@bulk.example.net" if direction == 1 else ""
        stalled = dice.random() < 0.002
        subject = (
            " ".join(dice.choices(WORDS, k=dice.randint(2, 6))).capitalize() + f" {dice.randint(1, 99999)}"
        )
        ip = f"198.51.{dice.randint(0, 99)}.{int(dice.random() ** 2 * 250)}"
        size = int(dice.paretovariate(1.1) * 3000)
        verdict = "stall" if stalled else "accept"
        batch.add(
            "message", key, 0, 1, self._address(batch, sender), size, subject,
            f"<{number:x}.{dice.getrandbits(48):x}@{sender.rpartition('@')[2] or 'example.org'}>", ip,
            f"mail{number % 97}.example",
            "mx.example", "TLSv1.3", verdict,
        )  # fmt: skip
        if dice.random() < 0.2 or stalled:
            extension = "zip" if stalled else dice.choice(EXTENSIONS)
            name = f"{dice.choice(WORDS)}-{dice.randint(1, 9999)}.{extension}"
            batch.add(
                "attachment",
                key,
                "2",
                name,
                "application/octet-stream",
                size,
                f"{dice.getrandbits(256):064x}",
            )
            if stalled:
                batch.add("finding", key, "encrypted-zip", "2/" + name, name, "ZipCrypto")
        leg = self._log_id.next(int(when * 1000))
        statuses = set()
        for _ in range(dice.choices((1, 2, 3, 12), (85, 10, 4, 1))[0]):
            to = self._partner() if direction == 2 else self._own_address()
            statuses.add(self._recipient(batch, number, when, key, leg, direction, to, stalled))
        pending = bool(statuses & {2, 3, 4})
        queue = 4 if 2 in statuses else 3 if pending else 5
        batch.add(
            "leg", leg, 0, f"4{number:09x}z{number % 9973:x}", int(when * 1e6), key, 1, queue, size,
            when if queue == 4 else None, None if pending else when + 5,
        )  # fmt: skip

    def _recipient(
        self,
        batch: Rows,
        number: int,
        when: float,
        key: int,
        leg: int,
        direction: int,
        to: str,
        stalled: bool,
    ) -> int:
        dice = self._dice
        address = self._address(batch, to)
        rows = batch.tables.setdefault("recipient", [])
        if any(row[0] == key and row[1] == address for row in rows[-12:]):
            return 5
        recent = when > self._now - 5 * 86_400
        status = 2 if stalled else dice.choices((5, 6, 4 if recent else 5, 7), (94, 3, 2, 1))[0]
        domain = to.rpartition("@")[2]
        ip = dice.randint(1, 250)
        dsn, reply = REPLIES.get(status, ("2.0.0", f"250 2.0.0 Ok: queued as {number:X}"))
        reply = reply.format(domain, ip, to)
        verdict = "stall" if stalled else "reject" if status == 7 else "accept"
        outcomes = {2: (), 7: (), 4: (2, 2, 2), 6: (3,), 5: (1,)}[status] if dice.random() < 0.95 else (2, 1)
        if status in (2, 7):
            outcomes = ()
        rows.append((key, address, direction, status, verdict, "", leg, len(outcomes), dsn, reply, when + 3))
        for attempt, outcome in enumerate(outcomes):
            at = int((when + 2 + attempt * 300) * 1000)
            session = None
            if dice.random() < 0.3:
                session = self._log_id.next(at)
                lines = f"< 220 mx.{domain} ESMTP\n> EHLO mail.example.org\n> RCPT TO:<{to}>\n< {reply}"
                batch.add("session", session, 0, 2, False, outcome, lines)
            inbound = direction != 2
            batch.add(
                "delivery", self._log_id.next(at), key, leg, address, outcome, dsn,
                "lmtp" if inbound else "smtp", "mailbox.example.org" if inbound else f"mx.{domain}",
                "192.0.2.25" if inbound else f"203.0.113.{ip}", 24 if inbound else 25, 0.6 + attempt * 300,
                "0.1/0.01/0.2/0.3", reply, session,
            )  # fmt: skip
        return status
