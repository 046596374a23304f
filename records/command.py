"""The commands that look things up: mail-in, pending, delivery, quarantine, rejected, show, session; migrate.

Lists are read page by page, so that `--all` prints any number of rows in the same memory; what came from
outside is made visible before it reaches a terminal.
"""

from __future__ import annotations

import functools
import itertools
import json
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, TypeVar

import click

from mailweir.config import Config
from mailweir.errors import InputError
from mailweir.records import command_print, db, export, groups, ids, remote, schema, search, views_read
from mailweir.records.filters import FIELDS, REJECTED_FIELDS, Filter
from mailweir.records.views import per_recipient

PAGE = 500  # rows that are read, and printed, at a time
V = TypeVar("V")

_OPTIONS = (
    ("--from", "--sender", "from", "Sender: an address, part of one, @domain, .domain for subdomains too."),
    ("--to", "--recipient", "to", "Recipient, in the same forms."),
    ("--subject", None, "subject", "Any part of the subject."),
    ("--text", None, "text", "Words to be found in subject, sender or recipient."),
    ("--status", None, "status", "Status, or how an attempt ended; several separated by commas."),
    ("--direction", None, "direction", "inbound, outbound or internal."),
    ("--ip", None, "ip", "Client's address (delivery: the receiving server's); `192.0.2.` for a network."),
    ("--queue", "--queue-id", "queue", "Postfix queue ID."),
    ("--id", None, "id", "Mail In ID."),
    ("--message-id", None, "message-id", "The Message-ID header."),
    ("--file", None, "file", "Any part of an attachment's name, or its SHA-256."),
    ("--verdict", None, "verdict", "accept, stall, reject, discard or defer."),
    ("--before", None, "before", "2026-11-24, 2026-11-24T16:05, today, 12h, 3d."),
    ("--after", None, "after", "In the same forms."),
    ("--node", None, "node", "Number of the node."),
)  # fmt: skip
_REJECTED_OPTIONS = (
    ("--client", None, "client", "Client's IP address, `192.0.2.` for a network, or any part of its name."),
    ("--helo", None, "helo", "Any part of what the client called itself."),
    ("--code", None, "code", "Reply code: 550, 5, 5.7.1, 5.7."),
    *(option for option in _OPTIONS if option[2] in REJECTED_FIELDS and option[2] != "text"),
    ("--text", None, "text", "Words to be found in reply, client, HELO, sender or recipient."),
)  # fmt: skip


def _filters(function: Callable[..., None], known: tuple[str, ...] = FIELDS) -> click.Command:
    """Make a command that takes the known filters, --all, --limit and --json; function gets a Filter and
    the server to ask instead of the database."""

    @click.pass_obj
    def run(config: Config, /, words: tuple[str, ...], **values: Any) -> None:
        every, limit, as_json = values.pop("every"), values.pop("limit"), values.pop("as_json")
        now = time.time()
        zone = datetime.fromtimestamp(now).astimezone().tzinfo
        assert zone is not None
        fields = {name.replace("_", "-"): value for name, value in values.items() if value is not None}
        wanted = search.parse(" ".join(words), now=now, zone=zone, also=fields, known=known)
        there = _server()
        if there is None:
            db.connect(config)
        function(wanted, None if every else limit, as_json, there)

    command: Callable[..., None] = run
    command = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")(command)
    command = click.option(
        "--limit", type=click.IntRange(1), default=50, show_default=True, help="Rows to print at most."
    )(command)
    command = click.option("--all", "every", is_flag=True, help="All rows, however many.")(command)
    for first, second, name, text in reversed(_OPTIONS if known is FIELDS else _REJECTED_OPTIONS):
        names = [first, *([second] if second else []), name.replace("-", "_")]
        command = click.option(*names, metavar="TEXT", help=text)(command)
    command = click.argument("words", nargs=-1, metavar="[SEARCH]...")(command)
    return click.command(function.__name__.replace("_", "-"), help=function.__doc__)(command)


def _server() -> remote.Server | None:
    """The server that the command line names; None: the database here is asked."""
    given = click.get_current_context().meta.get("mailweir.server")
    return remote.server(*given) if given else None


def _rows(ask: Callable[..., search.Page[Any]], wanted: Filter, limit: int | None) -> Iterator[Any]:
    """The rows of one page after the other, without a time budget: no page is partial."""
    below = None
    while True:
        page = ask(wanted, below=below, limit=PAGE if limit is None else min(limit, PAGE))
        yield from page.rows
        below = page.next
        if below is None:
            return


def _print(
    rows: Iterator[dict[str, Any]], limit: int | None, as_json: bool, columns: tuple[str, ...]
) -> None:
    rows = itertools.islice(rows, limit)
    if as_json:
        encode = json.JSONEncoder(check_circular=False).encode
        while lines := [encode(row) for row in itertools.islice(rows, PAGE)]:
            click.echo("\n".join(lines))
    else:
        command_print.table(rows, columns, PAGE)


def _recipients(messages: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Messages as the API gives them, a row for each recipient that the filter asked for."""
    for message in messages:
        for recipient in message.pop("recipients"):
            if recipient["matched"]:
                yield per_recipient(message, recipient)


@_filters
def mail_in(wanted: Filter, limit: int | None, as_json: bool, there: remote.Server | None) -> None:
    """Messages that entered, newest first: a row for each recipient.

    SEARCH is what the page's search box takes: words, and terms such as from:anna@ status:deferred.
    """
    if there:
        rows = _recipients(there.rows("mail-in", wanted, limit))
    elif limit is None and export.is_whole(wanted):
        rows = export.mail_in(wanted)
    else:
        found = _rows(search.mail_in, wanted, limit)
        rows = (row for message in found for row in message.per_recipient())
    columns = ("time", "direction", "status", "sender", "recipient", "subject", "size", "mail_in_id")
    _print(rows, limit, as_json, columns)


@_filters
def quarantine(wanted: Filter, limit: int | None, as_json: bool, there: remote.Server | None) -> None:
    """Stalled mail, newest first: a row for each recipient, with what was found in it."""
    if there:
        rows = _recipients(there.rows("quarantine", wanted, limit))
    else:
        found = _rows(search.quarantine, wanted, limit)
        rows = (row for message in found for row in message.per_recipient())
    columns = ("time", "direction", "status", "sender", "recipient", "subject", "findings", "mail_in_id")
    _print(rows, limit, as_json, columns)


@_filters
def pending(wanted: Filter, limit: int | None, as_json: bool, there: remote.Server | None) -> None:
    """Mail that is filtering, stalled, queued or deferred: a row for each recipient."""
    if there:
        rows = there.rows("pending", wanted, limit)
    elif limit is None and export.is_whole(wanted):
        rows = export.pending(wanted)
    else:
        rows = (row.as_dict() for row in _rows(search.pending, wanted, limit))
    columns = (
        "time",
        "direction",
        "status",
        "sender",
        "recipient",
        "attempts",
        "next_attempt",
        "returned",
        "queue_id",
        "mail_in_id",
        "reason",
    )
    _print(rows, limit, as_json, columns)


@click.command("pending-groups")
@click.option("--by", type=click.Choice(groups.BY), default="destination", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.pass_obj
def pending_groups(config: Config, by: str, as_json: bool) -> None:
    """Why so many wait: pending recipients counted by destination, reason or status, the most first."""
    there = _server()
    if there:
        rows = iter(there.listed("pending/groups", "groups", {"by": by}))
    else:
        db.connect(config)
        rows = (row.as_dict() for row in groups.grouped(by, (), groups.MOST).rows)
    _print(rows, None, as_json, ("recipients", "name", "status", "oldest", "newest", "attempts"))


@_filters
def delivery(wanted: Filter, limit: int | None, as_json: bool, there: remote.Server | None) -> None:
    """Attempts to deliver, newest first."""
    if there:
        rows = there.rows("delivery", wanted, limit)
    elif limit is None and export.is_whole(wanted):
        rows = export.delivery(wanted)
    else:
        rows = (row.as_dict() for row in _rows(search.delivery, wanted, limit))
    columns = (
        "time",
        "status",
        "sender",
        "recipient",
        "relay",
        "dsn",
        "delay",
        "queue_id",
        "mail_in_id",
        "reply",
    )
    _print(rows, limit, as_json, columns)


@functools.partial(_filters, known=REJECTED_FIELDS)
def rejected(wanted: Filter, limit: int | None, as_json: bool, there: remote.Server | None) -> None:
    """Attempts that Postfix refused before there was a message, newest first."""
    if there:
        rows = there.rows("rejected", wanted, limit)
    elif limit is None and export.is_whole(wanted):
        rows = export.rejected(wanted)
    else:
        rows = (row.as_dict() for row in _rows(search.rejected, wanted, limit))
    columns = ("time", "stage", "client_name", "client_ip", "helo", "sender", "recipient", "reply")
    _print(rows, limit, as_json, columns)


def _view(
    config: Config, path: str, identifier: str, kind: type[V], here: Callable[[], V | None]
) -> V | None:
    """One message or session, of the server that the command line names or of the database here."""
    there = _server()
    if there is None:
        db.connect(config)
        return here()
    values = there.get(f"{path}/{identifier}")
    return None if values is None else views_read.read(kind, values)


def _message(identifier: str) -> search.MessageView | None:
    key = search.find(identifier)
    return None if key is None else search.message(key)


@click.command()
@click.argument("identifier", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def show(config: Config, identifier: str, as_json: bool) -> None:
    """Everything known of one message; ID is its Mail In ID, a queue ID or its Message-ID."""
    found = _view(config, "messages", identifier, search.MessageView, lambda: _message(identifier))
    if found is None:
        raise InputError(
            f"no message is known by {identifier[:80]!r}; `mailweir mail-in` lists the newest, with their IDs"
        )
    if as_json:
        click.echo(json.dumps(found.as_dict()))
    else:
        command_print.message(found)


@click.command()
@click.argument("identifier", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def session(config: Config, identifier: str, as_json: bool) -> None:
    """One SMTP conversation; ID is what `show` and `delivery --json` give as the session's.

    Where Postfix recorded none, it is put together from the log's line about the attempt, and labelled so.
    """
    found = _view(
        config, "sessions", identifier, search.SessionView, lambda: search.session(ids.from_text(identifier))
    )
    if found is None:
        raise InputError(
            f"no session is known by {identifier[:80]!r}; `mailweir show` names a message's sessions"
        )
    if as_json:
        click.echo(json.dumps(found.as_dict()))
    else:
        command_print.session(found)


@click.command()
@click.pass_obj
def migrate(config: Config) -> None:
    """Bring the database to the newest schema; every program does so by itself when it starts."""
    database = db.connect(config, migrate=False)
    done = schema.migrate(database)
    ran = f"ran migrations {', '.join(map(str, done))}" if done else "nothing to do"
    click.echo(f"{db.public(config.database_url)}: schema {schema.version(database)}, {ran}")
