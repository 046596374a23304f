"""The first tables.

One text serves both databases; the few words in braces are what they spell differently. Defaults stand in
the database as well as in the models, so that the writers' plain INSERTs may leave columns out.
"""

from __future__ import annotations

from peewee import Database

from mailweir.records.migrations.dialect import run

TABLES = """
CREATE TABLE node (
    id SMALLINT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    seen DOUBLE PRECISION NOT NULL DEFAULT 0,
    health TEXT NOT NULL DEFAULT '{{}}'
);
CREATE TABLE address (
    id {auto},
    address TEXT NOT NULL UNIQUE,
    folded TEXT {bytewise} NOT NULL,
    domain_reversed TEXT {bytewise} NOT NULL
);
CREATE INDEX address_folded ON address (folded);
CREATE INDEX address_domain ON address (domain_reversed);
CREATE TABLE message (
    id {key},
    node_id SMALLINT NOT NULL,
    source SMALLINT NOT NULL,
    sender_id BIGINT NOT NULL,
    size BIGINT NOT NULL DEFAULT 0,
    subject TEXT NOT NULL DEFAULT '',
    message_id TEXT {bytewise} NOT NULL DEFAULT '',
    client_ip TEXT {bytewise} NOT NULL DEFAULT '',
    client_name TEXT NOT NULL DEFAULT '',
    helo TEXT NOT NULL DEFAULT '',
    tls TEXT NOT NULL DEFAULT '',
    auth_user TEXT NOT NULL DEFAULT '',
    authres TEXT NOT NULL DEFAULT '',
    verdict TEXT NOT NULL DEFAULT '',
    reply TEXT NOT NULL DEFAULT ''
);
CREATE INDEX message_sender ON message (sender_id, id);
CREATE INDEX message_header ON message (message_id) WHERE message_id <> '';
CREATE INDEX message_client ON message (client_ip, id) WHERE client_ip <> '';
CREATE TABLE recipient (
    message_id BIGINT NOT NULL,
    address_id BIGINT NOT NULL,
    direction SMALLINT NOT NULL,
    status SMALLINT NOT NULL,
    verdict TEXT NOT NULL DEFAULT '',
    trace TEXT NOT NULL DEFAULT '',
    leg_id BIGINT,
    attempts INTEGER NOT NULL DEFAULT 0,
    dsn TEXT NOT NULL DEFAULT '',
    reply TEXT NOT NULL DEFAULT '',
    changed DOUBLE PRECISION NOT NULL DEFAULT 0,
    PRIMARY KEY (message_id, address_id)
) {clustered};
CREATE INDEX recipient_address ON recipient (address_id, message_id);
CREATE INDEX recipient_status ON recipient (status, message_id) WHERE status <> 5;
CREATE INDEX recipient_verdict ON recipient (verdict, message_id) WHERE verdict NOT IN ('', 'accept');
CREATE TABLE leg (
    id {key},
    node_id SMALLINT NOT NULL,
    queue_id TEXT {bytewise} NOT NULL,
    arrival BIGINT NOT NULL,
    message_id BIGINT,
    parent_id BIGINT,
    kind SMALLINT NOT NULL,
    queue SMALLINT NOT NULL,
    size BIGINT NOT NULL DEFAULT 0,
    held DOUBLE PRECISION,
    removed DOUBLE PRECISION,
    missed SMALLINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX leg_queue_id ON leg (queue_id, node_id, arrival);
CREATE INDEX leg_message ON leg (message_id);
CREATE TABLE delivery (
    id {key},
    message_id BIGINT,
    leg_id BIGINT NOT NULL,
    address_id BIGINT NOT NULL,
    final_id BIGINT,
    status SMALLINT NOT NULL,
    dsn TEXT NOT NULL DEFAULT '',
    service TEXT NOT NULL DEFAULT '',
    relay_host TEXT NOT NULL DEFAULT '',
    relay_ip TEXT {bytewise} NOT NULL DEFAULT '',
    relay_port INTEGER,
    delay DOUBLE PRECISION NOT NULL DEFAULT 0,
    delays TEXT NOT NULL DEFAULT '',
    reply TEXT NOT NULL DEFAULT '',
    session_id BIGINT
);
CREATE INDEX delivery_message ON delivery (message_id);
CREATE INDEX delivery_status ON delivery (status, id) WHERE status <> 1;
CREATE INDEX delivery_relay ON delivery (relay_ip, id) WHERE relay_ip <> '';
CREATE INDEX delivery_final ON delivery (final_id) WHERE final_id IS NOT NULL;
CREATE INDEX delivery_session ON delivery (session_id) WHERE session_id IS NOT NULL;
CREATE TABLE session (
    id {key},
    node_id SMALLINT NOT NULL,
    source SMALLINT NOT NULL,
    reconstructed BOOLEAN NOT NULL DEFAULT {false},
    outcome SMALLINT NOT NULL,
    lines TEXT NOT NULL DEFAULT ''
);
CREATE TABLE finding (
    id {auto},
    message_id BIGINT NOT NULL,
    kind TEXT NOT NULL,
    part TEXT NOT NULL,
    name TEXT NOT NULL DEFAULT '',
    detail TEXT NOT NULL DEFAULT ''
);
CREATE INDEX finding_message ON finding (message_id);
CREATE TABLE attachment (
    id {auto},
    message_id BIGINT NOT NULL,
    part TEXT NOT NULL,
    name TEXT NOT NULL DEFAULT '',
    type TEXT NOT NULL DEFAULT '',
    size BIGINT NOT NULL DEFAULT 0,
    sha256 TEXT NOT NULL DEFAULT ''
);
CREATE INDEX attachment_message ON attachment (message_id);
CREATE INDEX attachment_sha256 ON attachment (sha256);
CREATE TABLE domain (
    id {auto},
    name TEXT NOT NULL UNIQUE,
    ours BOOLEAN NOT NULL DEFAULT {true}
);
CREATE TABLE address_group (
    id {auto},
    name TEXT NOT NULL UNIQUE,
    position INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE group_member (
    id {auto},
    group_id BIGINT NOT NULL,
    position INTEGER NOT NULL DEFAULT 0,
    pattern TEXT NOT NULL
);
CREATE INDEX group_member_group ON group_member (group_id);
CREATE TABLE policy (
    id {auto},
    scope TEXT NOT NULL,
    scope_id BIGINT NOT NULL DEFAULT 0,
    fields TEXT NOT NULL DEFAULT '{{}}',
    changed DOUBLE PRECISION NOT NULL DEFAULT 0,
    changed_by TEXT NOT NULL DEFAULT '',
    UNIQUE (scope, scope_id)
);
CREATE TABLE allow_entry (
    id {auto},
    policy_id BIGINT NOT NULL,
    direction SMALLINT NOT NULL,
    pattern TEXT NOT NULL,
    party TEXT NOT NULL DEFAULT 'recipient',
    expires DOUBLE PRECISION,
    note TEXT NOT NULL DEFAULT '',
    author TEXT NOT NULL DEFAULT '',
    created DOUBLE PRECISION NOT NULL DEFAULT 0
);
CREATE INDEX allow_entry_policy ON allow_entry (policy_id);
CREATE TABLE command (
    id {auto},
    key TEXT NOT NULL UNIQUE,
    node_id SMALLINT NOT NULL,
    action TEXT NOT NULL,
    leg_id BIGINT NOT NULL,
    message_id BIGINT NOT NULL,
    address_id BIGINT,
    queue_id TEXT NOT NULL,
    arrival BIGINT NOT NULL,
    sender TEXT NOT NULL DEFAULT '',
    reason TEXT NOT NULL DEFAULT '',
    by_user TEXT NOT NULL,
    by_ip TEXT NOT NULL DEFAULT '',
    requested DOUBLE PRECISION NOT NULL,
    started DOUBLE PRECISION,
    finished DOUBLE PRECISION,
    state SMALLINT NOT NULL DEFAULT 1,
    result TEXT NOT NULL DEFAULT ''
);
CREATE INDEX command_message ON command (message_id);
CREATE INDEX command_state ON command (state);
CREATE TABLE notice (
    id {auto},
    key TEXT NOT NULL UNIQUE,
    recipients TEXT NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    message_id BIGINT,
    created DOUBLE PRECISION NOT NULL,
    sent DOUBLE PRECISION,
    attempts INTEGER NOT NULL DEFAULT 0,
    error TEXT NOT NULL DEFAULT ''
);
CREATE INDEX notice_unsent ON notice (id) WHERE sent IS NULL;
CREATE TABLE audit (
    id {auto},
    time DOUBLE PRECISION NOT NULL,
    who TEXT NOT NULL,
    ip TEXT NOT NULL DEFAULT '',
    what TEXT NOT NULL,
    message_id BIGINT,
    detail TEXT NOT NULL DEFAULT '{{}}',
    hash TEXT NOT NULL
);
CREATE INDEX audit_message ON audit (message_id);
CREATE TABLE web_user (
    id {auto},
    name TEXT NOT NULL UNIQUE,
    password TEXT NOT NULL,
    role TEXT NOT NULL DEFAULT 'administrator',
    domains TEXT NOT NULL DEFAULT '',
    created DOUBLE PRECISION NOT NULL DEFAULT 0,
    disabled BOOLEAN NOT NULL DEFAULT {false}
);
CREATE TABLE api_token (
    id {auto},
    user_id BIGINT NOT NULL,
    name TEXT NOT NULL,
    digest TEXT NOT NULL UNIQUE,
    created DOUBLE PRECISION NOT NULL,
    used DOUBLE PRECISION
);
CREATE INDEX api_token_user ON api_token (user_id);
CREATE TABLE cursor (
    name TEXT NOT NULL PRIMARY KEY,
    position TEXT NOT NULL DEFAULT '{{}}',
    state {bytes} NOT NULL DEFAULT {no_bytes},
    counts TEXT NOT NULL DEFAULT '{{}}',
    changed DOUBLE PRECISION NOT NULL DEFAULT 0
);
"""


def up(database: Database) -> None:
    """Make the tables and their indexes."""
    run(database, TABLES)
