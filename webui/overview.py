"""Overview: today and the last 30 days at a glance, and whether all parts are well."""

from __future__ import annotations

import time

from flask import Blueprint, g, redirect, render_template, url_for
from werkzeug.wrappers import Response

from mailweir.records.words import Direction, Status
from mailweir.webui import access, figures, language, nodes

pages = Blueprint("overview", __name__)
kept = figures.Figures()
PARTS = (
    ("delivered", (Status.DELIVERED,)),
    ("deferred", (Status.QUEUED, Status.DEFERRED, Status.FILTERING, Status.UNKNOWN)),
    ("failed", (Status.FAILED, Status.RETURNED, Status.DELETED)),
    ("rejected", (Status.REJECTED,)),
    ("stalled", (Status.STALLED,)),
)
HEIGHT = 160.0  # of the chart, in its own units


@pages.get("/overview")
def show() -> str | Response:
    """The numbers are of all domains, so a user limited to some begins with Mail In."""
    if access.domains(g.user):
        return redirect(url_for("mail_in.list_"))
    now = time.time()
    days = kept.days(now, language.zone())
    why, where = kept.soon("troubles", lambda: figures.troubles(now))
    return render_template(
        "overview/show.html",
        days=days,
        today=days[-1],
        bars=figures.stacks(days, PARTS, HEIGHT),
        parts_of_chart=PARTS,
        height=HEIGHT,
        highest=max(day.total for day in days),
        directions=list(Direction),
        pending=kept.soon("pending", figures.pending),
        most=figures.MOST,
        failed=(Status.FAILED, Status.RETURNED),
        why=why,
        where=where,
        nodes=nodes.states(now),
        now=now,
    )
