"""One message: what it is, why it is where it is, and everything that happened to it."""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, abort, current_app, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from mailweir.agent.unlock import unlock
from mailweir.content.findings import KINDS, Class
from mailweir.errors import MailweirError
from mailweir.milter import authres
from mailweir.policies.trace import Trace
from mailweir.records import ids, search
from mailweir.records.models import Audit
from mailweir.webui import access, acts, contents, timeline
from mailweir.webui.text import outcome, say

pages = Blueprint("message", __name__)
AUDIT_ROWS = 100  # the newest; a message with more has been acted on by a program


def find(identifier: str) -> search.MessageView:
    """The message, if the user may see it; otherwise the page says that there is none."""
    view = search.message(ids.from_text(identifier), domains=access.domains(g.user) or None)
    if view is None:
        abort(404, _("There is no message with this Mail In ID, or it is not yours to see."))
    return view


@pages.get("/message/<identifier>")
def show(identifier: str) -> str:
    """The page of one message."""
    view = find(identifier)
    stalled = any(row.status == "stalled" for row in view.recipients)
    return render_template(
        "message/show.html",
        message=view,
        pending=[row for row in view.recipients if row.status in acts.PENDING_WORDS],
        stalled=stalled,
        encrypted=stalled and any(KINDS.get(row.kind) is Class.ENCRYPTED for row in view.findings),
        why=sentences(view),
        authentication=authres.in_words(authres.stored(view.authres)),
        events=timeline.events(view),
        branches=timeline.branches(view.legs),
        kinds={leg.queue_id: leg.kind for leg in view.legs},
        content=contents.tree(view.attachments, view.findings),
        audit=_audit(view.id),
        shared=search.went_elsewhere(view),
        key=acts.new_key(),
        acted=acts.results(request.args.get("acted", "")),
    )


def _audit(identifier: int) -> list[tuple[Audit, dict[str, Any]]]:
    """The lines of the audit trail about the message, with their details; for users who may see all of it."""
    if access.domains(g.user):
        return []
    rows = Audit.select().where(Audit.message_id == identifier).order_by(Audit.id.desc()).limit(AUDIT_ROWS)
    return [(row, json.loads(row.detail)) for row in rows][::-1]


@pages.post("/message/<identifier>/unlock")
@access.needs("operator")
def unlock_(identifier: str) -> Response:
    """Give the agent a password for the encrypted content; it goes into no record, log or address."""
    view = find(identifier)
    try:
        for target in acts.targets(acts.Item(view.id, None), access.domains(g.user)):
            done = unlock(
                current_app.config["MAILWEIR"],
                message_id=target.message_id,
                address=target.address,
                password=request.form.get("password", ""),
                user=g.user.name,
                ip=request.remote_addr or "",
            )
            for one in done:
                flash(
                    f"{say('Unlock')} {say(one.state)}: {outcome(one.result)}",
                    "good" if one.state == "done" else "error",
                )
    except MailweirError as error:
        flash(error.told(say), "error")
    return redirect(url_for("message.show", identifier=identifier))


def sentences(view: search.MessageView) -> list[str]:
    """Why the policies decided as they did, each reason once; nothing for mail that was simply accepted."""
    traces = [row.trace for row in view.recipients if row.trace and row.trace.get("field")]
    return list(dict.fromkeys(Trace.from_dict(trace).sentence(say) for trace in traces))
