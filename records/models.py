"""What Mailweir remembers, as tables.

The hot tables (message to session) are written with executemany by records/ingest.py and read by
records/search.py; the models give them names, types and relations, and serve the rest directly. The tables
are made by records/migrations/, which also adds the partial and text indexes that only plain SQL can name.
"""

from __future__ import annotations

from peewee import (
    BigAutoField,
    BigIntegerField,
    BlobField,
    BooleanField,
    CompositeKey,
    DatabaseProxy,
    DoubleField,
    IntegerField,
    Model,
    SmallIntegerField,
    TextField,
)

database = DatabaseProxy()


class Table(Model):
    """Base of all tables; times are seconds since 1970 (float) unless a comment says otherwise."""

    class Meta:
        database = database
        legacy_table_names = False


class Node(Table):
    """One Postfix instance with its Mailweir processes."""

    id = SmallIntegerField(primary_key=True)  # node.number
    name = TextField()
    seen = DoubleField(default=0)  # when its agent last reported
    health = TextField(default="{}")  # JSON: lag, counts of lines, clamd, helper, disk
    key = TextField(default="")  # with which passwords for its agent are sealed (agent/sealed.py)


class Address(Table):
    """An e-mail address as seen, once; everything else refers to it by number."""

    id = BigAutoField()
    address = TextField(unique=True)  # domain in lower case, local part as it came; "" is the null sender
    folded = TextField(index=True)  # all lower case, for equality search
    domain_reversed = TextField(index=True)  # "moc.elpmaxe", for searching a domain and its subdomains


class Message(Table):
    """One acceptance (or refusal) by Postfix at the end of DATA; the ID carries the time of arrival."""

    id = BigIntegerField(primary_key=True)  # Mail In ID
    node_id = SmallIntegerField()
    source = SmallIntegerField()  # words.Source: told by the filter, or reconstructed from the log
    sender_id = BigIntegerField()
    size = BigIntegerField(default=0)  # bytes
    subject = TextField(default="")
    message_id = TextField(default="")  # the Message-ID header
    client_ip = TextField(default="")
    client_name = TextField(default="")
    helo = TextField(default="")
    tls = TextField(default="")
    auth_user = TextField(default="")
    authres = TextField(default="")  # JSON: what trusted Authentication-Results said
    verdict = TextField(default="")  # policies' word for the message as a whole; "" when no filter saw it
    reply = TextField(default="")  # what we answered when the message was not accepted

    class Meta:
        indexes = ((("sender_id", "id"), False),)


class Recipient(Table):
    """One envelope recipient of a message and what became of it."""

    message_id = BigIntegerField()
    address_id = BigIntegerField()
    direction = SmallIntegerField()  # words.Direction
    status = SmallIntegerField()  # words.Status
    verdict = TextField(default="")  # policies' word for this recipient
    trace = TextField(default="")  # JSON: scope, field and list entry that decided
    leg_id = BigIntegerField(null=True)  # the queue file that carries it now
    attempts = IntegerField(default=0)
    dsn = TextField(default="")  # of the last attempt, RFC 3463
    reply = TextField(default="")  # of the last attempt, or Postfix's reason for waiting
    changed = DoubleField(default=0)

    class Meta:
        primary_key = CompositeKey("message_id", "address_id")
        indexes = ((("address_id", "message_id"), False),)


class Leg(Table):
    """One Postfix queue file of a message, known by node, queue ID and arrival (queue IDs are reused)."""

    id = BigIntegerField(primary_key=True)
    node_id = SmallIntegerField()
    queue_id = TextField()
    arrival = BigIntegerField()  # microseconds since 1970
    message_id = BigIntegerField(null=True, index=True)
    parent_id = BigIntegerField(null=True)
    kind = SmallIntegerField()  # words.LegKind
    queue = SmallIntegerField()  # words.Queue
    size = BigIntegerField(default=0)
    held = DoubleField(null=True)  # since when it is on hold
    removed = DoubleField(null=True)  # when Postfix removed it
    missed = SmallIntegerField(default=0)  # queue snapshots in a row that did not list it
    sender = TextField(null=True)  # its envelope sender where that is not the message's: bounces, notices
    next_attempt = DoubleField(null=True)  # not before then; what Postfix wrote into its queue directory
    next_seen = DoubleField(null=True)  # when the agent read that

    class Meta:
        indexes = ((("queue_id", "node_id", "arrival"), True),)


class Delivery(Table):
    """One attempt to deliver one recipient of one leg; IDs sort by time."""

    id = BigIntegerField(primary_key=True)
    message_id = BigIntegerField(null=True, index=True)
    leg_id = BigIntegerField()
    address_id = BigIntegerField()  # the envelope recipient
    final_id = BigIntegerField(null=True)  # the address really delivered to, where an alias changed it
    status = SmallIntegerField()  # words.Outcome
    dsn = TextField(default="")
    service = TextField(default="")  # "smtp", "relay/smtp", "lmtp", "error" …
    relay_host = TextField(default="")
    relay_ip = TextField(default="")
    relay_port = IntegerField(null=True)
    delay = DoubleField(default=0)  # seconds since arrival
    delays = TextField(default="")  # Postfix's a/b/c/d
    reply = TextField(default="")
    session_id = BigIntegerField(null=True)
    tls = TextField(default="")  # how its connection was encrypted: postlog/encrypted.short; "": not told


class Reject(Table):
    """An attempt to send us mail that Postfix refused before there was a message; never in Mail In."""

    id = BigIntegerField(primary_key=True)
    node_id = SmallIntegerField()
    service = TextField(default="")  # "smtpd", "submission/smtpd", "postscreen" …
    queue_id = TextField(default="")  # where an earlier recipient had been accepted
    stage = TextField(default="")  # CONNECT, HELO, MAIL, RCPT, DATA …
    client_ip = TextField(default="")
    client_name = TextField(default="")
    helo = TextField(default="")
    sender_id = BigIntegerField(null=True)  # null: the client had not come to that
    recipient_id = BigIntegerField(null=True)
    code = SmallIntegerField(default=0)  # the SMTP reply's
    dsn = TextField(default="")
    reply = TextField(default="")


class Session(Table):
    """One SMTP conversation with a receiving server; several deliveries can share it."""

    id = BigIntegerField(primary_key=True)
    node_id = SmallIntegerField()
    source = SmallIntegerField()  # words.Source: LOG when recorded from the transcript; see reconstructed
    reconstructed = BooleanField(default=False)
    outcome = SmallIntegerField()  # words.Outcome of its last delivery
    lines = TextField(default="")  # "> COMMAND" and "< REPLY" lines, AUTH redacted


class Finding(Table):
    """One thing seen in a message's content."""

    id = BigAutoField()
    message_id = BigIntegerField(index=True)
    kind = TextField()
    part = TextField()
    name = TextField(default="")
    detail = TextField(default="")


class Attachment(Table):
    """A named or non-text part of a message."""

    id = BigAutoField()
    message_id = BigIntegerField(index=True)
    part = TextField()
    name = TextField(default="")
    type = TextField(default="")
    size = BigIntegerField(default=0)
    sha256 = TextField(default="", index=True)


class Domain(Table):
    """A domain with its own settings; ours says that mail for it is inbound whatever Postfix calls it."""

    id = BigAutoField()
    name = TextField(unique=True)
    ours = BooleanField(default=True)


class Group(Table):
    """An ordered list of addresses with their own policy; the first group that holds an address wins."""

    id = BigAutoField()
    name = TextField(unique=True)
    position = IntegerField(default=0)

    class Meta:
        table_name = "address_group"  # GROUP is a reserved word


class GroupMember(Table):
    """One address, domain or .domain in a group."""

    id = BigAutoField()
    group_id = BigIntegerField(index=True)
    position = IntegerField(default=0)
    pattern = TextField()


class Policy(Table):
    """The settings of one scope; fields left out of the JSON are inherited."""

    id = BigAutoField()
    scope = TextField()  # "default", "domain" or "group"
    scope_id = BigIntegerField(default=0)  # Domain.id or Group.id
    fields = TextField(default="{}")  # JSON: policies/fields.py says which fields there are
    changed = DoubleField(default=0)
    changed_by = TextField(default="")

    class Meta:
        indexes = ((("scope", "scope_id"), True),)


class AllowEntry(Table):
    """One entry of a policy's allow list."""

    id = BigAutoField()
    policy_id = BigIntegerField(index=True)
    direction = SmallIntegerField()  # words.Direction: which of the policy's lists
    pattern = TextField()  # an address, a domain, or .domain for subdomains too
    party = TextField(default="recipient")  # or "sender": whom the pattern names
    expires = DoubleField(null=True)
    note = TextField(default="")
    author = TextField(default="")
    created = DoubleField(default=0)


class Command(Table):
    """An act on the queue that somebody asked for; the agent of its node carries it out."""

    id = BigAutoField()
    key = TextField(unique=True)  # made by the form or the caller: a double click inserts nothing new
    node_id = SmallIntegerField()
    action = TextField()  # retry, force, delete, return, hold, release
    leg_id = BigIntegerField()
    message_id = BigIntegerField(index=True)
    address_id = BigIntegerField(null=True)  # one recipient of the leg; null: all of them
    queue_id = TextField()  # with arrival and sender: what the user saw, compared before the act
    arrival = BigIntegerField()
    sender = TextField(default="")
    reason = TextField(default="")
    by_user = TextField()
    by_ip = TextField(default="")
    requested = DoubleField()
    started = DoubleField(null=True)
    finished = DoubleField(null=True)
    state = SmallIntegerField(default=1, index=True)  # words.CommandState
    result = TextField(default="")  # in words, for the page


class Sealed(Table):
    """What comes with a command, readable for the agent of its node alone; gone once that has taken it."""

    command_id = BigIntegerField(primary_key=True)
    box = BlobField()


class Content(Table):
    """What was read of a message in the queue, encrypted for whoever asked (agent/reading.py)."""

    command_id = BigIntegerField(primary_key=True)
    box = BlobField()
    size = BigIntegerField()  # of the whole message
    expires = DoubleField()


class Notice(Table):
    """A notice to be mailed: the outbox, so that each goes out exactly once."""

    id = BigAutoField()
    key = TextField(unique=True)
    recipients = TextField()  # separated by commas
    subject = TextField()
    body = TextField()
    message_id = BigIntegerField(null=True)
    created = DoubleField()
    sent = DoubleField(null=True)
    attempts = IntegerField(default=0)
    error = TextField(default="")


class Audit(Table):
    """Who did what, each row bound to the one before by a hash."""

    id = BigAutoField()
    time = DoubleField()
    who = TextField()
    ip = TextField(default="")
    what = TextField()
    message_id = BigIntegerField(null=True, index=True)
    detail = TextField(default="{}")  # JSON
    hash = TextField()  # SHA-256 of the previous row's hash and this row's values


class User(Table):
    """Somebody who may log in to the pages."""

    id = BigAutoField()
    name = TextField(unique=True)
    password = TextField()  # Argon2 hash
    role = TextField(default="administrator")  # or operator, viewer
    domains = TextField(default="")  # separated by spaces; empty: all
    created = DoubleField(default=0)
    disabled = BooleanField(default=False)
    language = TextField(default="")  # "en" or "de"; empty: what the browser asks for
    zone = TextField(default="")  # such as Europe/Berlin; empty: UTC
    totp = TextField(default="")  # the second factor's secret in base 32; empty: none
    totp_step = BigIntegerField(default=0)  # the last time step used, so that no code works twice

    class Meta:
        table_name = "web_user"  # USER is a reserved word


class LoginThrottle(Table):
    """How full the bucket of log-in attempts for a name or a client address is; see records/logins.py."""

    name = TextField(primary_key=True)
    until = DoubleField(index=True)  # when it is empty again


class LoginAddress(Table):
    """A client address from which a user has logged in."""

    user_id = BigIntegerField()
    address = TextField()
    last = DoubleField()

    class Meta:
        primary_key = CompositeKey("user_id", "address")


class SavedSearch(Table):
    """A search that a user keeps under a name, on one of the list pages."""

    id = BigAutoField()
    user_id = BigIntegerField()
    page = TextField()  # the page's endpoint
    name = TextField()
    query = TextField()  # the address's query

    class Meta:
        indexes = ((("user_id", "page", "name"), True),)


class ApiToken(Table):
    """A secret that lets a program act for a user."""

    id = BigAutoField()
    user_id = BigIntegerField(index=True)
    name = TextField()
    digest = TextField(unique=True)  # SHA-256 of the token
    created = DoubleField()
    used = DoubleField(null=True)


class Cursor(Table):
    """How far a followed file has been taken into the records, in the same transaction as the records."""

    name = TextField(primary_key=True)
    position = TextField(default="{}")  # JSON: device, inode, first-line hash, offset
    state = BlobField(default=b"")  # the tracker's state at that offset
    counts = TextField(default="{}")  # JSON: lines read, understood, ignored, not understood, orphaned
    changed = DoubleField(default=0)


ALL: tuple[type[Table], ...] = (
    Node,
    Address,
    Message,
    Recipient,
    Leg,
    Delivery,
    Reject,
    Session,
    Finding,
    Attachment,
    Domain,
    Group,
    GroupMember,
    Policy,
    AllowEntry,
    Command,
    Sealed,
    Content,
    Notice,
    Audit,
    User,
    LoginThrottle,
    LoginAddress,
    SavedSearch,
    ApiToken,
    Cursor,
)
