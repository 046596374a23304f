"""Logs → Mail In: every message that came in, newest first, with what became of each recipient."""

from __future__ import annotations

from flask import Blueprint, Response, render_template

from mailweir.records import search
from mailweir.webui import asked, table_file

pages = Blueprint("mail_in", __name__)
COLUMNS = (
    "mail_in_id", "time", "node", "direction", "sender", "recipient", "status", "reason", "dsn", "reply",
    "attempts", "subject", "size", "message_id", "client_ip", "client_name", "queue_id", "verdict",
)  # fmt: skip


@pages.get("/mail-in")
def list_() -> str:
    """One page of messages."""
    return render_template("mail_in/list.html", listing=asked.listing("mail_in", search.mail_in))


@pages.get("/mail-in.csv")
def export() -> Response:
    """All that match, one line for each recipient."""
    return table_file.answer("mail-in", search.mail_in, COLUMNS, search.MessageRow.per_recipient)
