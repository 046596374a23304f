"""What a page, or a program that asks, is told when a request fails: what is wrong and what to do about it.

The log keeps what only we may see.
"""

from __future__ import annotations

import logging

from flask import Flask, Response, g, jsonify, render_template, request
from flask_babel import lazy_gettext as _l
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from mailweir.errors import InputError, MailweirError, Unavailable
from mailweir.webui.text import say

log = logging.getLogger("mailweir.web")

# What stands in the place of Werkzeug's own words, by status.
_SAID = {
    400: _l("The browser sent what cannot be understood: go back, load the page again and repeat."),
    404: _l("There is nothing here, or it is not yours to see."),
    405: _l("This address is for forms only: go back to the page that the form is on."),
    413: _l("That is larger than any form here may be: send less at a time."),
    500: _l("Something went wrong in here; the log of `mailweir web` says what."),
}
_OLD_FORM = _l("The form has been open for too long, or is not from here: load the page again and repeat.")


def init_app(app: Flask) -> None:
    """Show all errors that are not bugs; of these Flask makes a 500."""
    for kind in (HTTPException, MailweirError, CSRFError):
        app.register_error_handler(kind, show)


def show(error: Exception) -> tuple[str | Response, int]:
    """An error as a page, or as JSON in English for programs."""
    is_api = request.path.startswith("/api/")
    if isinstance(error, HTTPException):
        status = error.code or 500
        words = (error.description or error.name) if is_api else _in_words(error, status)
    else:
        status = 400 if isinstance(error, InputError) else 503 if isinstance(error, Unavailable) else 409
        words = error.told(say) if isinstance(error, MailweirError) and not is_api else str(error)
    if status >= 500:
        log.error("%s", error)
    if is_api:
        return jsonify(error=words), status
    g.setdefault("user", None)
    return render_template("error.html", status=status, words=words), status


def _in_words(error: HTTPException, status: int) -> str:
    """Our own words for the error, in the user's language; Werkzeug's where we have none."""
    if isinstance(error, CSRFError):
        return str(_OLD_FORM)
    own = error.description != type(error).description and error.description
    return str(own or _SAID.get(status) or error.description or error.name)
