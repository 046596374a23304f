"""Logs → Delivery: every attempt to deliver, with the conversation it took place in."""

from __future__ import annotations

from flask import Blueprint, render_template

from mailweir.records import search
from mailweir.webui import asked

pages = Blueprint("delivery", __name__)


@pages.get("/delivery")
def list_() -> str:
    """One page of delivery attempts."""
    return render_template("delivery/list.html", listing=asked.listing(search.delivery))
