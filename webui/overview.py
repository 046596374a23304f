"""Overview: today and the last 30 days at a glance, and whether all parts are well."""

from __future__ import annotations

import time

from flask import Blueprint, g, render_template

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
def show() -> str:
    """The numbers are of the mail that the user may see; the machines concern only those who see all."""
    now, domains = time.time(), access.domains(g.user)
    days = kept.days(now, language.zone(), domains)
    why, where = kept.soon("troubles", domains, lambda: figures.troubles(now, domains))
    return render_template(
        "overview/show.html",
        days=days,
        today=days[-1],
        bars=figures.stacks(days, PARTS, HEIGHT),
        parts_of_chart=PARTS,
        height=HEIGHT,
        highest=max(day.total for day in days),
        directions=list(Direction),
        pending=kept.soon("pending", domains, lambda: figures.pending(domains)),
        most=figures.MOST,
        failed=(Status.FAILED, Status.RETURNED),
        why=why,
        where=where,
        nodes=[] if domains else nodes.states(now),
        now=now,
    )
