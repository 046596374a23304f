"""Logs → Mail In: every message that came in, newest first, with what became of each recipient."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, url_for
from werkzeug.wrappers import Response

from mailweir.records import search
from mailweir.webui import asked

pages = Blueprint("mail_in", __name__)


@pages.get("/")
def start() -> Response:
    """The first page after the log-in."""
    return redirect(url_for("mail_in.list_"))


@pages.get("/mail-in")
def list_() -> str:
    """One page of messages."""
    return render_template("mail_in/list.html", listing=asked.listing(search.mail_in))
