"""Logs → Pending: every recipient that is still on its way, and why it waits."""

from __future__ import annotations

import time

from flask import Blueprint, render_template, request

from mailweir.records import search
from mailweir.webui import asked, commands

pages = Blueprint("pending", __name__)


@pages.get("/pending")
def list_() -> str:
    """One page of pending recipients."""
    return render_template(
        "pending/list.html",
        listing=asked.listing(search.pending),
        now=time.time(),
        key=commands.new_key(),
        acted=commands.banner(request.args.get("acted", "")),
    )
