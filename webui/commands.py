"""The buttons: one form posts here from every page, is confirmed where due, and leads back with results."""

from __future__ import annotations

import dataclasses
from urllib.parse import parse_qsl, urlencode, urlsplit

from flask import Blueprint, abort, current_app, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from mailweir.agent.request import ACTS, UNLOCK
from mailweir.errors import InputError
from mailweir.records import ids
from mailweir.records.words import Status
from mailweir.webui import access, acts, asked, known
from mailweir.webui.text import say

pages = Blueprint("commands", __name__)

CONFIRMED = {"force", "delete", "return"}  # these ask once more on a page of their own
MOST_SAID = 20  # of a large act, refusals that are told one by one


@pages.post("/act")
@access.needs("operator")
def act() -> str | Response:
    """Confirm where that is due, then ask the agent, wait a moment for it, and go back to the page."""
    form = request.form
    action, key = form.get("action", ""), form.get("key", "")
    back = access.local_path(form.get("next"), url_for("quarantine.list_"))
    if action not in acts.NAMED or not acts.KEY.fullmatch(key):
        abort(400, _("This form is not complete: go back, load the page again and repeat."))
    if "all" in form and action != "unlock":
        return act_on_all(action, key, back)
    items = [acts.Item.parse(value) for value in dict.fromkeys(form.getlist("item"))]
    if not items:
        flash(_("Nothing was selected."), "error")
        return redirect(back)
    if len(items) > acts.MAX_ITEMS:
        raise InputError("at most %(max_items)s can be selected at once", max_items=acts.MAX_ITEMS)
    if action == "unlock":
        return unlock(items, key, back)
    reason = form.get("reason", "").strip()
    confirmed = "confirmed" in form
    missing = ACTS[action].needs_reason and not reason
    if action in CONFIRMED and (missing or not confirmed):
        return render_template(
            "commands/confirm.html",
            action=action,
            act=ACTS[action],
            wrong=missing and confirmed,
            items=items,
            facts=known.about(items) if action == "force" else [],
            key=key,
            back=back,
        )
    user, ip = g.user, request.remote_addr or ""
    for item, why in acts.carry_out(action, items, reason, key, user=user, ip=ip):
        flash(f"{ids.to_text(item.message_id)}: {why.told(say)}", "error")
    if action == "force" and access.allows(user, "administrator"):
        for entry in known.allow_in_future(form.getlist("allow"), items, ip=ip):
            flash(_("Added to the list: %(entry)s", entry=entry), "good")
    acts.wait(key, current_app.config["MAILWEIR"].web.act_wait)
    return redirect(_with_key(back, key))


def unlock(items: list[acts.Item], key: str, back: str) -> str | Response:
    """Ask for the password, then have it tried on what was selected; it stands in no address and no log."""
    config = current_app.config["MAILWEIR"]
    password = request.form.get("password", "")
    if not password:
        wrong = "confirmed" in request.form
        return render_template(
            "commands/confirm.html",
            action="unlock",
            act=UNLOCK,
            wrong=wrong,
            items=items,
            facts=[],
            key=key,
            back=back,
        )
    ip = request.remote_addr or ""
    for item, why in acts.unlock(items, password, key, config, user=g.user, ip=ip):
        flash(f"{ids.to_text(item.message_id)}: {why.told(say)}", "error")
    acts.wait(key, config.web.act_wait)
    return redirect(_with_key(back, key))


def act_on_all(action: str, key: str, back: str) -> str | Response:
    """The same for all that the page's search finds; always confirmed, and only for users without limits."""
    form = request.form
    if access.domains(g.user):
        flash(_("You are limited to some domains: select messages one by one."), "error")
        return redirect(back)
    query = dict(parse_qsl(urlsplit(back).query))
    reason, confirmed = form.get("reason", "").strip(), "confirmed" in form
    missing = ACTS[action].needs_reason and not reason
    wanted = asked.from_fields(query)
    if missing or not confirmed:
        return render_template(
            "commands/confirm.html",
            action=action,
            act=ACTS[action],
            wrong=missing and confirmed,
            items=[],
            every=True,
            query=query.get("q", ""),
            facts=[],
            key=key,
            back=back,
        )
    if urlsplit(back).path == url_for("quarantine.list_"):
        wanted = dataclasses.replace(wanted, status=(Status.STALLED,))
    refused = acts.carry_out_matching(action, wanted, reason, key, user=g.user, ip=request.remote_addr or "")
    for identifier, why in refused[:MOST_SAID]:
        flash(f"{ids.to_text(identifier)}: {why}", "error")
    acts.wait(key, current_app.config["MAILWEIR"].web.act_wait)
    return redirect(_with_key(back, key))


@pages.get("/act/<key>")
def results(key: str) -> str:
    """The results alone, asked for again by the page while the agent is not through."""
    return render_template("commands/results.html", acted=acts.results(key), key=key)


def _with_key(path: str, key: str) -> str:
    parts = urlsplit(path)
    fields = [(name, value) for name, value in parse_qsl(parts.query) if name != "acted"]
    return f"{parts.path}?{urlencode([*fields, ('acted', key)])}"
