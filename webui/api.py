"""/api/v1: the lists, single messages and the acts as JSON, for programs with a token of a user."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, abort, current_app, g, jsonify, request
from werkzeug.exceptions import HTTPException

from mailweir.errors import InputError, MailweirError
from mailweir.records import groups, ids, search
from mailweir.records.models import ApiToken, User
from mailweir.webui import access, acts, api_document, asked, session
from mailweir.webui.profile import digest

pages = Blueprint("api", __name__, url_prefix="/api/v1")
MAX_ROWS = 500
USED_EVERY = 60.0  # seconds between two notes of when a token was last used


def token_user() -> User | None:
    """The user of the request's token, if it is a good one."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        return None
    found = ApiToken.get_or_none(ApiToken.digest == digest(token.strip()))
    user: User | None = User.get_or_none(User.id == found.user_id) if found else None
    if found is None or user is None or user.disabled:
        return None
    now = time.time()
    if found.used is None or now - found.used > USED_EVERY:
        ApiToken.update(used=now).where(ApiToken.id == found.id).execute()
    return user


@pages.before_request
def require_token() -> None:
    """Everything but the description of the API needs a token; a page's session does not count here."""
    g.user = token_user()
    if g.user is None and request.endpoint != "api.openapi":
        abort(401, "Send Authorization: Bearer TOKEN; tokens are made in the profile.")


@pages.errorhandler(HTTPException)
def http_error(error: HTTPException) -> tuple[Response, int]:
    """Errors as JSON."""
    return jsonify(error=error.description or error.name), error.code or 500


@pages.errorhandler(MailweirError)
def own_error(error: MailweirError) -> tuple[Response, int]:
    """What cannot be used is 400, what cannot be done now 503 or 409."""
    status = 400 if isinstance(error, InputError) else 409
    return jsonify(error=str(error)), status


def answer(look: Callable[..., search.Page[Any]], name: str = "") -> Response:
    """One page of a list; `next` is what to give as `below` for the rows after it."""
    below = request.args.get("below")
    limit = request.args.get("limit", "50")
    if not limit.isascii() or not limit.isdigit() or not 1 <= int(limit[:6]) <= MAX_ROWS:
        raise InputError(f"limit must be a number from 1 to {MAX_ROWS}")
    page = look(
        asked.from_address(name),
        below=ids.from_text(below) if below else None,
        limit=int(limit),
        budget=current_app.config["MAILWEIR"].records.search_budget,
    )
    following = ids.to_text(page.next) if page.next is not None else None
    return jsonify(rows=[row.as_dict() for row in page], next=following, partial=page.partial)


@pages.get("/mail-in")
def mail_in() -> Response:
    """Messages that came in."""
    return answer(search.mail_in)


@pages.get("/pending")
def pending() -> Response:
    """Recipients that are on their way."""
    return answer(search.pending)


@pages.get("/pending/groups")
def pending_groups() -> Response:
    """The same in groups: why so many wait."""
    by = request.args.get("by", "destination")
    if by not in groups.BY:
        raise InputError(f"by must be one of {', '.join(groups.BY)}")
    found = groups.grouped(by, access.domains(g.user), groups.MOST)
    listed = [row.as_dict() for row in found.rows]
    return jsonify(groups=listed, recipients=found.recipients, complete=found.complete)


@pages.get("/delivery")
def delivery() -> Response:
    """Attempts to deliver."""
    return answer(search.delivery)


@pages.get("/quarantine")
def quarantine() -> Response:
    """Messages with stalled recipients."""
    return answer(search.quarantine)


@pages.get("/rejected")
def rejected() -> Response:
    """Attempts that Postfix refused before there was a message."""
    return answer(search.rejected, "rejected")


@pages.get("/messages/<path:identifier>")  # a Message-ID may have a slash in it
def message(identifier: str) -> Response:
    """All that is known of one message, by its Mail In ID, a queue ID or its Message-ID."""
    key = search.find(identifier)
    view = None if key is None else search.message(key, domains=access.domains(g.user) or None)
    if view is None:
        abort(404, "There is no message by this name, or it is not yours to see.")
    return jsonify(view.as_dict())


@pages.get("/sessions/<identifier>")
def session_(identifier: str) -> Response:
    """One SMTP conversation."""
    return jsonify(session.find(identifier).as_dict())


@pages.post("/acts")
def act() -> tuple[Response, int]:
    """Ask for an act on messages or single recipients."""
    if not access.allows(g.user, "operator"):
        abort(403, "This needs the role operator.")
    body = request.get_json()
    if not isinstance(body, dict):
        raise InputError("the body must be a JSON object")
    action, reason, key = body.get("action"), body.get("reason", ""), body.get("key") or acts.new_key()
    if not isinstance(action, str) or action not in acts.NAMED:
        raise InputError(f"action must be one of {', '.join(acts.NAMED)}")
    if not isinstance(reason, str) or not isinstance(key, str) or not acts.KEY.fullmatch(key):
        raise InputError("reason must be a string, key 32 hexadecimal digits in lower case")
    if acts.NAMED[action].needs_reason and not reason.strip():
        raise InputError(f"{action} needs a reason")
    items = [item(given) for given in _list(body.get("items"))]
    ip = request.remote_addr or ""
    if action == "unlock":
        password = body.get("password")
        if not isinstance(password, str) or not password:
            raise InputError("unlock needs a password")
        config = current_app.config["MAILWEIR"]
        refused = acts.unlock(items, password, key, config, user=g.user, ip=ip)
    else:
        refused = acts.carry_out(action, items, reason, key, user=g.user, ip=ip)
    errors = [{"mail_in_id": ids.to_text(one.message_id), "error": str(why)} for one, why in refused]
    return jsonify(key=key, acts=[one.as_dict() for one in acts.results(key)], errors=errors), 202


@pages.get("/acts/<key>")
def act_results(key: str) -> Response:
    """What became of them."""
    return jsonify(key=key, acts=[one.as_dict() for one in acts.results(key)], errors=[])


@pages.get("/openapi.json")
def openapi() -> Response:
    """This API, described."""
    return jsonify(api_document.document())


def item(given: object) -> acts.Item:
    """One element of `items`. Raises InputError."""
    if not isinstance(given, dict) or not isinstance(given.get("mail_in_id"), str):
        raise InputError("each item must be an object with mail_in_id, and recipient where only one is meant")
    address = given.get("recipient")
    if address is not None and not isinstance(address, str):
        raise InputError("recipient must be a string or null")
    return acts.Item(ids.from_text(given["mail_in_id"]), address)


def _list(given: object) -> list[object]:
    if not isinstance(given, list) or not 1 <= len(given) <= acts.MAX_ITEMS:
        raise InputError(f"items must be a list of 1 to {acts.MAX_ITEMS} objects")
    return given
