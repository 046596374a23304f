"""Old records go, completely and in small batches; what is pending or young stays and is still found."""

from __future__ import annotations

from pathlib import Path

import peewee

from bench.records_data import DAYS, fill
from mailweir.config import Records
from mailweir.postlog.position import Chunk, Position
from mailweir.records import ids, models, search, texts
from mailweir.records.filters import Filter
from mailweir.records.ingest import Ingest
from mailweir.records.migrations.dialect import is_sqlite
from mailweir.records.purge import DAY, purge
from mailweir.records.words import PENDING, Direction, LegKind, Status
from tests.integration.t_60_records.reference import Kept
from tests.unit.postlog_records import in_utc

NOW = 1_795_500_000.0
LOGS = Path(__file__).parents[2] / "data/postlog"
TABLES = ("message", "recipient", "leg", "delivery", "finding", "attachment", "session", "address")


def counts(database: peewee.Database) -> dict[str, int]:
    return {table: database.execute_sql(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES}


def filled(database: peewee.Database, messages: int = 250) -> None:
    fill(database, messages, seed=3, now=NOW)
    while texts.index_texts(database, 100):
        pass


def purge_all(database: peewee.Database, settings: Records, now: float) -> int:
    batches = 1
    while purge(database, settings, now).more:
        batches += 1
    return batches


def test_everything_of_old_messages_goes(database: peewee.Database) -> None:
    filled(database)
    half = NOW - DAYS / 2 * DAY
    pending = models.Recipient.select().where(models.Recipient.status.in_(PENDING)).count()
    assert pending
    settings = Records(keep_days=DAYS / 2, keep_sessions_days=0, purge_batch=20)
    assert purge_all(database, settings, NOW) > 4
    old = [
        row.id for row in models.Message.select().where(models.Message.id < ids.first_id(int(half * 1000)))
    ]
    for key in old:  # only what is pending is left
        assert (
            models.Recipient.select()
            .where(models.Recipient.message_id == key, models.Recipient.status.in_(PENDING))
            .exists()
        )
    assert models.Recipient.select().where(models.Recipient.status.in_(PENDING)).count() == pending
    assert models.Message.select().count() > 100
    for table in ("recipient", "leg", "delivery", "finding", "attachment"):
        owned = "EXISTS (SELECT 1 FROM message m WHERE m.id = t.message_id)"
        stray = database.execute_sql(f"SELECT count(*) FROM {table} t WHERE NOT {owned}")
        assert stray.fetchone()[0] == 0, table


def test_what_is_left_is_found_as_before(database: peewee.Database) -> None:
    filled(database)
    purge_all(database, Records(keep_days=30, purge_batch=30), NOW)
    while texts.index_texts(database, 100):
        pass
    kept = Kept.read(database)
    assert kept.messages
    for message in kept.messages.values():
        wanted = Filter(subject=message["subject"])
        assert [row.id for row in search.mail_in(wanted, limit=100)] == kept.mail_in(wanted)
    for part in ("invoice", "an", "e", "report", ".pdf"):
        assert [row.id for row in search.mail_in(Filter(text=part), limit=500)] == kept.mail_in(
            Filter(text=part)
        )
        assert [row.id for row in search.mail_in(Filter(file=part), limit=500)] == kept.mail_in(
            Filter(file=part)
        )


def test_nothing_is_left_in_the_text_index(database: peewee.Database) -> None:
    filled(database, 120)
    models.Recipient.update(status=Status.DELIVERED).execute()
    settings = Records(keep_days=1, purge_batch=50)
    purge_all(database, settings, NOW + 10 * DAY)
    assert counts(database) | {"address": 0} == dict.fromkeys(TABLES, 0)
    assert counts(database)["address"]  # somebody may still remember their numbers
    while purge(database, settings, NOW + 13 * DAY).addresses:
        pass
    assert counts(database) == dict.fromkeys(TABLES, 0)
    if is_sqlite(database):
        for kind in texts.Kind:
            vocabulary = f"CREATE VIRTUAL TABLE temp.v_{kind.table} USING fts5vocab(main, {kind.table}, row)"
            database.execute_sql(vocabulary)
            assert database.execute_sql(f"SELECT count(*) FROM v_{kind.table}").fetchone() == (0,)
        assert database.execute_sql("SELECT count(*) FROM text_todo").fetchone() == (0,)


def test_an_address_used_again_stays(database: peewee.Database) -> None:
    filled(database, 60)
    models.Recipient.update(status=Status.DELIVERED).execute()
    settings = Records(keep_days=1)
    purge_all(database, settings, NOW + 10 * DAY)
    again = models.Address.select().first()
    key = ids.first_id(int((NOW + 12 * DAY) * 1000))
    models.Message.insert(id=key, node_id=0, source=1, sender_id=again.id, subject="again").execute()
    while purge(database, settings, NOW + 12.5 * DAY).addresses:
        pass
    assert [row.id for row in models.Address.select()] == [again.id]
    assert [row.sender for row in search.mail_in(Filter())] == [again.address]


def test_sessions_go_earlier_than_messages(database: peewee.Database) -> None:
    filled(database)
    before = counts(database)
    purge_all(database, Records(keep_days=400, keep_sessions_days=10, purge_batch=20), NOW)
    after = counts(database)
    assert 0 < after["session"] < before["session"]
    assert after | {"session": 0} == before | {"session": 0}
    gone = [row for row in search.delivery(Filter(), limit=1000) if row.session_reconstructed]
    assert len(gone) > after["delivery"] / 2  # what the log says of the attempt is left
    for row in search.delivery(Filter(), limit=1000):
        assert row.session_id is None or search.session(row.session_id)


def test_zero_keeps_everything(database: peewee.Database) -> None:
    filled(database, 60)
    before = counts(database)
    assert not purge(database, Records(keep_days=0, keep_sessions_days=0), NOW + 10_000 * DAY).more
    assert counts(database) == before


def logged(database: peewee.Database, number: int) -> None:
    """What an incident's log comes to."""
    lines = next(LOGS.glob(f"{number:02}-*.log")).read_bytes()
    with in_utc():
        taken = Ingest(database, 0)
        taken.take(log=Chunk(lines, Position(first=str(number), offset=len(lines))), now=NOW)


def test_an_address_that_only_notices_or_verifications_name_stays_with_them(
    database: peewee.Database,
) -> None:
    """As that of the postmaster, who once was a message's own recipient too."""
    logged(database, 49)  # a delay warning
    logged(database, 53)  # an address verification
    (notice,) = (
        models.Delivery.select()
        .join(models.Leg, on=(models.Leg.id == models.Delivery.leg_id))
        .where(models.Leg.kind == LegKind.NOTICE)
    )
    old = models.Address.create(
        address="postmaster@own.example", folded="postmaster@own.example", domain_reversed=""
    )
    models.Delivery.update(address_id=old.id).where(models.Delivery.id == notice.id).execute()
    (verified, *_) = models.Delivery.select().where(models.Delivery.message_id.is_null())
    key = ids.first_id(int((NOW - 400 * DAY) * 1000))
    models.Message.insert(id=key, node_id=0, source=1, sender_id=old.id).execute()
    for number in {old.id, verified.address_id}:
        models.Recipient.insert(
            message_id=key, address_id=number, direction=Direction.INBOUND, status=Status.DELIVERED
        ).execute()
    models.Recipient.delete().where(
        models.Recipient.address_id == verified.address_id, models.Recipient.message_id != key
    ).execute()
    models.Message.update(sender_id=old.id).where(models.Message.id == key).execute()
    settings = Records(keep_days=350, purge_batch=50)
    assert purge(database, settings, NOW).messages == 1
    while purge(database, settings, NOW + 3 * DAY).addresses:
        pass
    known = {row.id for row in models.Address.select()}
    assert {old.id, verified.address_id} <= known
    assert "postmaster@own.example" in {row.recipient for row in search.delivery(Filter(), limit=100)}


def test_addresses_of_refusals_and_verifications_go_with_them(database: peewee.Database) -> None:
    logged(database, 54)  # refusals
    logged(database, 53)
    assert models.Reject.select().exists() and models.Delivery.select().exists()
    models.Recipient.update(status=Status.DELIVERED).execute()
    settings = Records(keep_days=1, purge_batch=50)
    purge_all(database, settings, NOW + 400 * DAY)
    assert models.Address.select().exists()
    while purge(database, settings, NOW + 403 * DAY).addresses:
        pass
    assert not models.Address.select().exists() and not models.Reject.select().exists()
