"""Attempts that Postfix refused before there was a message; the legs that are still open."""

from __future__ import annotations

from peewee import Database

from mailweir.records.migrations.dialect import run

REJECTS = """
CREATE TABLE reject (
    id {key},
    node_id SMALLINT NOT NULL,
    service TEXT NOT NULL DEFAULT '',
    queue_id TEXT {bytewise} NOT NULL DEFAULT '',
    stage TEXT NOT NULL DEFAULT '',
    client_ip TEXT {bytewise} NOT NULL DEFAULT '',
    client_name TEXT NOT NULL DEFAULT '',
    helo TEXT NOT NULL DEFAULT '',
    sender_id BIGINT,
    recipient_id BIGINT,
    code SMALLINT NOT NULL DEFAULT 0,
    dsn TEXT NOT NULL DEFAULT '',
    reply TEXT NOT NULL DEFAULT ''
);
CREATE INDEX reject_client ON reject (client_ip, id);
CREATE INDEX reject_sender ON reject (sender_id, id) WHERE sender_id IS NOT NULL;
CREATE INDEX reject_recipient ON reject (recipient_id, id) WHERE recipient_id IS NOT NULL;
CREATE INDEX leg_open ON leg (node_id, id) WHERE queue <> 5
"""


def up(database: Database) -> None:
    """Make the table and the index."""
    run(database, REJECTS)
