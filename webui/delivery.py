"""Logs → Delivery: every attempt to deliver, with the conversation it took place in."""

from __future__ import annotations

from flask import Blueprint, Response, render_template

from mailweir.records import search
from mailweir.webui import asked, table_file

pages = Blueprint("delivery", __name__)
COLUMNS = (
    "time", "mail_in_id", "node", "queue_id", "direction", "sender", "recipient", "final", "status",
    "reason", "dsn", "relay_host", "relay_ip", "relay_port", "tls", "reply", "delay", "subject",
)  # fmt: skip


@pages.get("/delivery")
def list_() -> str:
    """One page of delivery attempts."""
    return render_template("delivery/list.html", listing=asked.listing("delivery", search.delivery))


@pages.get("/delivery.csv")
def export() -> Response:
    """All that match."""
    return table_file.answer("delivery", search.delivery, COLUMNS, lambda row: [row.as_dict()])
