"""Quarantine: what is stalled, and the buttons that decide about it."""

from __future__ import annotations

import time

from flask import Blueprint, render_template, request

from mailweir.records import search
from mailweir.webui import acts, asked

pages = Blueprint("quarantine", __name__)


@pages.get("/quarantine")
def list_() -> str:
    """One page of stalled messages; `each=1` shows a line for each pending recipient."""
    return render_template(
        "quarantine/list.html",
        listing=asked.listing("quarantine", search.quarantine),
        each=request.args.get("each") == "1",
        now=time.time(),
        key=acts.new_key(),
        acted=acts.results(request.args.get("acted", "")),
    )
