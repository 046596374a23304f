"""One message: what it is, why it is where it is, and everything that happened to it."""

from __future__ import annotations

from flask import Blueprint, abort, g, render_template, request

from mailweir.policies.trace import Trace
from mailweir.records import ids, search
from mailweir.webui import access, acts, timeline

pages = Blueprint("message", __name__)


@pages.get("/message/<identifier>")
def show(identifier: str) -> str:
    """The page of one message."""
    view = search.message(ids.from_text(identifier), domains=access.domains(g.user) or None)
    if view is None:
        abort(404, "There is no message with this Mail In ID, or it is not yours to see.")
    return render_template(
        "message/show.html",
        message=view,
        pending=[row for row in view.recipients if row.status in acts.PENDING_WORDS],
        stalled=any(row.status == "stalled" for row in view.recipients),
        why=sentences(view),
        events=timeline.events(view),
        branches=timeline.branches(view.legs),
        key=acts.new_key(),
        acted=acts.results(request.args.get("acted", "")),
    )


def sentences(view: search.MessageView) -> list[str]:
    """Why the policies decided as they did, each reason once; nothing for mail that was simply accepted."""
    traces = [row.trace for row in view.recipients if row.trace and row.trace.get("field")]
    return list(dict.fromkeys(Trace.from_dict(trace).sentence() for trace in traces))
