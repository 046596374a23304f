"""Acts on mail: a page asks, the agent carries out, and the page says what truly happened.

One form posts here from every page: chosen items, an action and a key made with the form, so a double click
or a reload asks only once.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

from flask import Blueprint, abort, current_app, flash, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from mailweir.agent.request import ACTS
from mailweir.agent.request import request as request_act
from mailweir.errors import InputError, MailweirError
from mailweir.records import ids, search
from mailweir.records.models import Address, Command
from mailweir.records.words import PENDING, CommandState
from mailweir.webui import access

pages = Blueprint("commands", __name__)

CONFIRMED = {"force", "delete", "return"}  # these ask once more on a page of their own
KEY = re.compile(r"[0-9a-f]{32}")
MAX_ITEMS = 500
PENDING_WORDS = frozenset(status.word for status in PENDING)
SHORT_WAIT = 0.05  # seconds between two looks at whether the agent is done


@dataclass(frozen=True)
class Item:
    """One thing chosen: a message, or one recipient of it."""

    message_id: int
    address: str | None

    @property
    def value(self) -> str:
        """As it stands in a form field: the Mail In ID, a space and the address."""
        return ids.to_text(self.message_id) + (f" {self.address}" if self.address is not None else "")

    @classmethod
    def parse(cls, value: str) -> Item:
        """The inverse of value. Raises InputError."""
        identifier, space, address = value.partition(" ")
        return cls(ids.from_text(identifier), address if space else None)


def new_key() -> str:
    """A key for one form."""
    return secrets.token_hex(16)


@pages.post("/act")
@access.needs("operator")
def act() -> str | Response:
    """Confirm where that is due, then ask the agent, wait a moment for it, and go back to the page."""
    action = request.form.get("action", "")
    key = request.form.get("key", "")
    back = access.local_path(request.form.get("next"), url_for("quarantine.list_"))
    if action not in ACTS or not KEY.fullmatch(key):
        abort(400, "This form is not complete: go back, load the page again and repeat.")
    items = [Item.parse(value) for value in dict.fromkeys(request.form.getlist("item"))]
    if not items:
        flash("Nothing was selected.", "error")
        return redirect(back)
    if len(items) > MAX_ITEMS:
        raise InputError(f"at most {MAX_ITEMS} can be selected at once")
    chosen = ACTS[action]
    reason = request.form.get("reason", "").strip()
    confirmed = "confirmed" in request.form
    missing = chosen.needs_reason and not reason
    if action in CONFIRMED and (missing or not confirmed):
        return render_template(
            "commands/confirm.html",
            action=action,
            act=chosen,
            wrong=missing and confirmed,
            items=items,
            key=key,
            back=back,
        )
    carry_out(action, items, reason, key)
    wait(key)
    return redirect(_with_key(back, key))


def carry_out(action: str, items: Sequence[Item], reason: str, key: str) -> None:
    """Ask the agent for each item; one that cannot be asked for does not stop the others."""
    number = 0
    for item in items:
        try:
            for target in targets(item):
                request_act(
                    action=action,
                    message_id=target.message_id,
                    address=target.address,
                    user=g.user.name,
                    ip=request.remote_addr or "",
                    reason=reason,
                    key=f"{key}.{number}",
                    clock=time.time,
                )
                number += 1
        except MailweirError as error:
            flash(f"{ids.to_text(item.message_id)}: {error}", "error")


def targets(item: Item) -> list[Item]:
    """What the user may really act on: for one limited to domains, the pending recipients in these.

    Raises InputError, as for a message that does not exist, when there is nothing of it to be seen.
    """
    limits = access.domains(g.user)
    if not limits:
        return [item]
    page = search.mail_in(search.Filter(id=item.message_id, domains=limits), limit=1)
    seen = [row.address for message in page for row in message.recipients if row.status in PENDING_WORDS]
    wanted = [address for address in seen if item.address in (None, address)]
    if not wanted:
        raise InputError("there is nothing of it to act on")
    return [Item(item.message_id, address) for address in wanted]


def wait(key: str) -> None:
    """Give the agent a moment, so that the next page most often shows the result already."""
    end = time.monotonic() + current_app.config["MAILWEIR"].web.act_wait
    while time.monotonic() < end and any(not finished(command) for command in asked(key)):
        time.sleep(SHORT_WAIT)


def asked(key: str) -> list[Command]:
    """The commands that one form led to."""
    if not KEY.fullmatch(key):
        return []
    return list(
        Command.select().where(Command.key >= f"{key}.", Command.key < f"{key}/").order_by(Command.id)
    )


def finished(command: Command) -> bool:
    """Whether the agent is through with it, well or not."""
    return command.state not in (CommandState.REQUESTED, CommandState.RUNNING)


@dataclass(frozen=True)
class Result:
    """One command as the page tells of it."""

    name: str
    message_id: int
    address: str
    word: str
    open: bool
    bad: bool
    result: str


def banner(key: str) -> list[Result]:
    """What became of one form's acts, for the page that comes after it."""
    found = asked(key)
    numbers = [command.address_id for command in found if command.address_id is not None]
    addresses = (
        {row.id: row.address for row in Address.select().where(Address.id.in_(numbers))} if numbers else {}
    )
    return [
        Result(
            name=ACTS[command.action].name if command.action in ACTS else command.action,
            message_id=command.message_id,
            address=addresses.get(command.address_id or 0, ""),
            word=CommandState(command.state).word,
            open=not finished(command),
            bad=command.state in (CommandState.FAILED, CommandState.REFUSED),
            result=command.result,
        )
        for command in found
    ]


@pages.get("/act/<key>")
def results(key: str) -> str:
    """The same alone, asked for again by the page while the agent is not through."""
    return render_template("commands/results.html", acted=banner(key), key=key)


def _with_key(path: str, key: str) -> str:
    parts = urlsplit(path)
    fields = [(name, value) for name, value in parse_qsl(parts.query) if name != "acted"]
    return f"{parts.path}?{urlencode([*fields, ('acted', key)])}"
