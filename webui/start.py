"""The way in: the address without a path."""

from __future__ import annotations

from flask import Blueprint, redirect, url_for
from werkzeug.wrappers import Response

pages = Blueprint("start", __name__)


@pages.get("/")
def start() -> Response:
    """The first page after the log-in."""
    return redirect(url_for("overview.show"))
