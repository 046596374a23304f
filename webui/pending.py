"""Logs → Pending: every recipient that is still on its way, and why it waits."""

from __future__ import annotations

import functools
import time

from flask import Blueprint, Response, abort, current_app, g, render_template, request

from mailweir.agent.lifetimes import in_last_part
from mailweir.config import Config
from mailweir.records import groups, search
from mailweir.webui import access, acts, asked, table_file

pages = Blueprint("pending", __name__)
SHOWN = 100  # groups
COLUMNS = (
    "mail_in_id", "time", "node", "queue_id", "queue", "direction", "status", "sender", "recipient",
    "reason", "dsn", "reply", "attempts", "next_attempt", "returned", "subject", "size",
)  # fmt: skip


@pages.get("/pending")
def list_() -> str:
    """One page of pending recipients."""
    return render_template(
        "pending/list.html",
        listing=asked.listing("pending", search.pending),
        now=time.time(),
        soon=functools.partial(soon, current_app.config["MAILWEIR"], time.time()),
        key=acts.new_key(),
        acted=acts.results(request.args.get("acted", "")),
    )


def soon(config: Config, now: float, row: search.PendingRow) -> bool:
    """Whether its lifetime is nearly over."""
    if row.returned is None or row.lifetime is None:
        return False
    return in_last_part(config, row.returned, row.lifetime, now)


@pages.get("/pending/groups")
def grouped() -> str:
    """The same in groups, to see why many wait."""
    by = request.args.get("by", "destination")
    if by not in groups.BY:
        abort(404)
    found = groups.grouped(by, access.domains(g.user), SHOWN)
    return render_template(
        "pending/groups.html",
        by=by,
        choices=groups.BY,
        groups=found.rows,
        left_out=found.total - len(found.rows),
        count=found.recipients,
        complete=found.complete,
        now=time.time(),
    )


@pages.get("/pending.csv")
def export() -> Response:
    """All that match."""
    return table_file.answer("pending", search.pending, COLUMNS, lambda row: [row.as_dict()])
