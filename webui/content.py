"""What a message in the queue says: its header, its text and its files, for those who may read them.

The agent reads it and the page takes it apart; the key to what was read is in the asking user's session
alone. Text is shown as text, files can only be stored.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from flask import (
    Blueprint,
    Response,
    abort,
    current_app,
    flash,
    g,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from mailweir.agent import reading
from mailweir.agent.command_rows import OPEN
from mailweir.agent.reading import Letter, Look
from mailweir.config import Config
from mailweir.errors import MailweirError
from mailweir.records import search
from mailweir.records.models import Command
from mailweir.records.words import CommandState
from mailweir.webui import access, acts, letter
from mailweir.webui.message import find as find_message
from mailweir.webui.text import say

pages = Blueprint("content", __name__)

HEADER_ROLE = "operator"
READING = "reading"  # of the session: command, key, and of which message


@dataclass(frozen=True)
class Asked:
    """What the user last asked to read of a message, and how far that is."""

    what: str  # "headers" or "content"
    state: str  # a CommandState word
    result: str
    letter: Letter | None

    @property
    def is_open(self) -> bool:
        """Whether the agent is not through yet."""
        return self.state in ("requested", "running")


def find(identifier: str) -> search.MessageView:
    """The message, if all of it is the user's to see: its header names every recipient it was sent to."""
    view = find_message(identifier)
    if search.went_elsewhere(view):
        abort(403, elsewhere())
    return view


def elsewhere() -> str:
    """Why a user limited to domains may not read a message."""
    return str(
        _(
            "This message also went to recipients outside your domains, who may be named in it. "
            "Ask an administrator of all domains to read it."
        )
    )


def role_for(what: str) -> str:
    """From which role on a user may read that."""
    config: Config = current_app.config["MAILWEIR"]
    return config.web.content_role if what == "content" else HEADER_ROLE


@pages.get("/message/<identifier>/content")
@access.needs(HEADER_ROLE)
def show(identifier: str) -> str:
    """What was asked for, once it is there."""
    view = find(identifier)
    asked = last(view)
    read = asked.letter if asked else None
    whole = read is not None and asked is not None and asked.what == "content"
    return render_template(
        "content/show.html",
        message=view,
        asked=asked,
        may_read=access.allows(g.user, role_for("content")),
        fields=letter.header(read.data) if read else [],
        parts=letter.parts(read.data, current_app.config["MAILWEIR"].content) if read and whole else None,
    )


@pages.post("/message/<identifier>/content")
@access.needs(HEADER_ROLE)
def ask(identifier: str) -> AnyResponse:
    """Ask the agent to read, and give it a moment."""
    view = find(identifier)
    what = request.form.get("what", "")
    if not access.allows(g.user, role_for(what)):
        abort(403, _("Your role may not read the content of messages."))
    try:
        look = reading.ask(
            what=what, message_id=view.id, user=g.user.name, ip=request.remote_addr or "", clock=time.time
        )
    except MailweirError as error:
        flash(error.told(say), "error")
        return redirect(url_for("content.show", identifier=identifier))
    session[READING] = [look.command, look.key, view.id]
    end = time.monotonic() + current_app.config["MAILWEIR"].web.act_wait
    while time.monotonic() < end and Command.get_by_id(look.command).state in OPEN:
        time.sleep(acts.SHORT_WAIT)
    return redirect(url_for("content.show", identifier=identifier))


@pages.get("/message/<identifier>/file")
@access.needs(HEADER_ROLE)
def file(identifier: str) -> str | Response:
    """One part, to be stored; of what is stalled or infected only once somebody has said to be sure."""
    view = find(identifier)
    if not access.allows(g.user, role_for("content")):
        abort(403, _("Your role may not read the content of messages."))
    asked, path = last(view), request.args.get("part", "")
    if asked is None or asked.letter is None or asked.what != "content":
        abort(404, _("It is not kept any longer: ask for the content again."))
    found = letter.parts(asked.letter.data, current_app.config["MAILWEIR"].content).found
    part = next((one for one in found if one.path == path), None)
    if part is None:
        abort(404, _("There is no such part in the message."))
    if view.findings and "sure" not in request.args:
        return render_template("content/sure.html", message=view, part=part)
    response = Response(part.data, content_type="application/octet-stream")
    response.headers["Content-Disposition"] = letter.attachment(part.name)
    return response


def last(view: search.MessageView) -> Asked | None:
    """What this session last asked to read of the message; None when it was nothing."""
    number, key, message = session.get(READING) or (0, "", 0)
    if message != view.id:
        return None
    command = Command.get_or_none(Command.id == number, Command.by_user == g.user.name)
    if command is None:
        return None
    state = CommandState(command.state).word
    if not access.allows(g.user, role_for(command.action)):
        return None
    found = reading.find(Look(number, key), time.time()) if state == "done" else None
    return Asked(command.action, state, command.result, found)
