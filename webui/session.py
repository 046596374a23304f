"""One SMTP conversation: as a page of its own, and as the part that the pop-up shows."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from flask import Blueprint, abort, g, render_template
from flask_babel import gettext as _

from mailweir.postlog.reconstruct import NOTES
from mailweir.records import ids, search
from mailweir.webui import access
from mailweir.webui.text import say

pages = Blueprint("session", __name__, url_prefix="/session")

REPLY = re.compile(r"([2345])\d\d(?:[ -]|$)")
KINDS = {"4": "waits", "5": "refused"}


@dataclass(frozen=True)
class Line:
    """One line of a conversation: who said it (by mark and kind) and what."""

    mark: str
    text: str
    kind: str


def talk(lines: Iterable[str]) -> list[Line]:
    """The stored lines for the page: "> " is what our side said, "< " what the other answered."""
    said = []
    for line in lines:
        mark, text = (line[0], line[2:]) if line[:2] in ("> ", "< ") else ("", line)
        match = REPLY.match(text) if mark == "<" else None
        kind = "ours" if mark == ">" else KINDS.get(match.group(1), "theirs") if match else "theirs"
        said.append(Line(mark, say(text) if text in NOTES else text, kind))
    return said


def spent(view: search.SessionView) -> list[tuple[str, float]]:
    """What the newest attempt's time went into, where Postfix tells: name and seconds."""
    try:
        before, queued, connecting, sending = map(float, view.deliveries[0].delays.split("/"))
    except (IndexError, ValueError):
        return []
    return [(_("Waited"), before + queued), (_("Connecting"), connecting), (_("Sending"), sending)]


def find(identifier: str) -> search.SessionView:
    """The session with this ID, if the user may see it; otherwise the page says that there is none."""
    view = search.session(ids.from_text(identifier))
    if view is None or not may_see(view, access.domains(g.user)):
        abort(404, _("There is no such session, or it is not yours to see."))
    return view


def may_see(view: search.SessionView, domains: tuple[str, ...]) -> bool:
    """Whether a user limited to these domains may see it: only when every delivery in it is theirs to see."""
    if not domains:
        return True
    for row in view.deliveries:
        page = search.mail_in(search.Filter(id=row.message_id, domains=domains), limit=1)
        seen = {recipient.address for message in page for recipient in message.recipients}
        if row.message_id is None or row.recipient not in seen:
            return False
    return bool(view.deliveries)


@pages.get("/<identifier>")
def show(identifier: str) -> str:
    """The page of one session, where a dot leads without JavaScript."""
    view = find(identifier)
    return render_template("session/show.html", session=view, lines=talk(view.lines), spent=spent(view))


@pages.get("/<identifier>/part")
def part(identifier: str) -> str:
    """The conversation alone, for the pop-up."""
    view = find(identifier)
    return render_template("session/part.html", session=view, lines=talk(view.lines), spent=spent(view))
