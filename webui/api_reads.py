"""Header and content of a message in the queue, for programs: ask the agent to read, then fetch what it read.

What is answered to the question opens what was read, so only whoever asked can fetch it.
"""

from __future__ import annotations

import time

from flask import Response, abort, current_app, g, jsonify, request

from mailweir.agent import reading
from mailweir.agent.reading import READS, Letter, Look
from mailweir.errors import InputError
from mailweir.records import ids, search
from mailweir.records.models import Command
from mailweir.records.words import CommandState
from mailweir.webui import access, letter
from mailweir.webui.api import pages as pages
from mailweir.webui.content import elsewhere, role_for

KEY = "Mailweir-Key"  # the header of a request that opens what was read
_LONGEST_KEY = 64


@pages.post("/reads")
def read() -> tuple[Response, int]:
    """Ask the agent to read a message."""
    body = request.get_json()
    if not isinstance(body, dict) or not isinstance(body.get("mail_in_id"), str):
        raise InputError("the body must be a JSON object with mail_in_id")
    what = body.get("what")
    if what not in READS or not isinstance(what, str):
        raise InputError(f"what must be one of {', '.join(READS)}")
    _permit(what)
    number = ids.from_text(body["mail_in_id"])
    view = search.message(number, domains=access.domains(g.user) or None)
    if view is None:
        raise InputError("there is no message with this Mail In ID, or it is not yours to see")
    if search.went_elsewhere(view):
        abort(403, elsewhere())
    look = reading.ask(
        what=what, message_id=number, user=g.user.name, ip=request.remote_addr or "", clock=time.time
    )
    return jsonify(read=look.command, key=look.key, state="requested"), 202


@pages.get("/reads/<int:number>")
def result(number: int) -> Response:
    """How far it is, and once it is read, what the message says."""
    command, found = _found(number)
    whole = found is not None and command.action == "content"
    taken = letter.parts(found.data, current_app.config["MAILWEIR"].content) if found and whole else None
    return jsonify(
        state=CommandState(command.state).word,
        result=command.result,
        is_cut=found is not None and found.is_cut,
        header=[vars(field) for field in letter.header(found.data)] if found else [],
        parts=[
            {
                "path": part.path,
                "name": part.name,
                "type": part.type,
                "size": len(part.data),
                "text": part.text,
                "is_cut": part.is_cut,
            }
            for part in (taken.found if taken else ())
        ],
        trouble=taken.trouble if taken else "",
    )


@pages.get("/reads/<int:number>/file")
def part_file(number: int) -> Response:
    """One part as it is, to be stored."""
    command, found = _found(number)
    if found is None or command.action != "content":
        abort(404, "It is not there yet, or not any longer: ask for the content again.")
    parts = letter.parts(found.data, current_app.config["MAILWEIR"].content).found
    part = next((one for one in parts if one.path == request.args.get("part")), None)
    if part is None:
        abort(404, "There is no such part in the message.")
    response = Response(part.data, content_type="application/octet-stream")
    response.headers["Content-Disposition"] = letter.attachment(part.name)
    return response


def _found(number: int) -> tuple[Command, Letter | None]:
    """The user's own question and what came of it."""
    command = (
        Command.get_or_none(Command.id == number, Command.by_user == g.user.name, Command.action.in_(READS))
        if number < 1 << 63
        else None
    )
    if command is None:
        abort(404, "You have not asked to read this.")
    _permit(command.action)
    view = search.message(command.message_id, domains=access.domains(g.user) or None)
    if view is None or search.went_elsewhere(view):
        abort(404, "You have not asked to read this.")
    key = request.headers.get(KEY, "")[:_LONGEST_KEY]
    return command, reading.find(Look(number, key), time.time())


def _permit(what: str) -> None:
    role = role_for(what)
    if not access.allows(g.user, role):
        abort(403, f"This needs the role {role}.")
