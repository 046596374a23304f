"""Logs → Pending: every recipient that is still on its way, and why it waits."""

from __future__ import annotations

import time

from flask import Blueprint, Response, render_template, request

from mailweir.records import search
from mailweir.webui import acts, asked, table_file

pages = Blueprint("pending", __name__)
COLUMNS = (
    "mail_in_id", "time", "node", "queue_id", "queue", "direction", "status", "sender", "recipient",
    "reason", "dsn", "reply", "attempts", "subject", "size",
)  # fmt: skip


@pages.get("/pending")
def list_() -> str:
    """One page of pending recipients."""
    return render_template(
        "pending/list.html",
        listing=asked.listing("pending", search.pending),
        now=time.time(),
        key=acts.new_key(),
        acted=acts.results(request.args.get("acted", "")),
    )


@pages.get("/pending.csv")
def export() -> Response:
    """All that match."""
    return table_file.answer("pending", search.pending, COLUMNS, lambda row: [row.as_dict()])
