"""Why did it fail?: what replies and codes mean, and what to do about them, as one page to look things up."""

from __future__ import annotations

from flask import Blueprint, render_template, request

from mailweir.records import reasons
from mailweir.records.reason_table import CODES, PHRASES, REPLIES

pages = Blueprint("reasons", __name__)
MAX_REPLY = 4_096  # characters


@pages.get("/reasons")
def show() -> str:
    """The whole reference, and the explanation of one reply that somebody pastes."""
    reply = request.args.get("reply", "")[:MAX_REPLY].strip()
    return render_template(
        "reasons/show.html",
        reply=reply,
        explained=reasons.explain("", reply) if reply else None,
        replies=sorted(REPLIES.items()),
        codes=CODES,
        phrases=PHRASES,
    )
