"""Logs → Rejected: every attempt to send us mail that Postfix refused before there was a message."""

from __future__ import annotations

from flask import Blueprint, Response, render_template

from mailweir.records import search
from mailweir.webui import asked, table_file

pages = Blueprint("rejected", __name__)
COLUMNS = (
    "time", "node", "service", "stage", "client_ip", "client_name", "helo", "sender", "recipient", "code",
    "dsn", "reply", "queue_id",
)  # fmt: skip


@pages.get("/rejected")
def list_() -> str:
    """One page of refused attempts."""
    return render_template("rejected/list.html", listing=asked.listing("rejected", search.rejected))


@pages.get("/rejected.csv")
def export() -> Response:
    """All that match."""
    return table_file.answer("rejected", search.rejected, COLUMNS, lambda row: [row.as_dict()])
