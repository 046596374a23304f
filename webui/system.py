"""System: nodes, users and the audit trail."""

from __future__ import annotations

import json
import time

from flask import Blueprint, abort, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from mailweir.errors import InputError
from mailweir.records import audit, ids, models
from mailweir.records.models import ApiToken, Audit, User
from mailweir.webui import access, accounts, nodes
from mailweir.webui.text import say

pages = Blueprint("system", __name__, url_prefix="/system")
ROWS = 100


@pages.before_request
def only_unlimited() -> None:
    """What stands here is of all domains."""
    if access.domains(g.user):
        abort(403, _("The system pages are of all domains; you are limited to some."))


@pages.get("/nodes")
def nodes_() -> str:
    """The nodes with their lag and the counts of log lines that keep the tracker honest."""
    return render_template("system/nodes.html", nodes=nodes.states(time.time()))


@pages.get("/audit")
def audit_() -> str:
    """Who did what, newest first; `check=1` verifies the chain of hashes."""
    below = request.args.get("below", type=int)
    rows = Audit.select().order_by(Audit.id.desc()).limit(ROWS + 1)
    if below:
        rows = rows.where(Audit.id < below)
    found = list(rows)
    checked = request.args.get("check") == "1"
    return render_template(
        "system/audit.html",
        rows=[(row, json.loads(row.detail)) for row in found[:ROWS]],
        older=found[ROWS - 1].id if len(found) > ROWS else None,
        first=below is None,
        checked=checked,
        broken=audit.broken(models.database.obj) if checked else None,
        cut=[node.problems["audit"] for node in nodes.states(time.time()) if "audit" in node.problems],
        link=ids.to_text,
    )


@pages.get("/users")
@access.needs("administrator")
def users() -> str:
    """All users."""
    return render_template(
        "system/users.html", users=list(User.select().order_by(User.name)), roles=accounts.ROLES
    )


@pages.post("/users")
@access.needs("administrator")
def add_user() -> Response | str:
    """Add a user; a password is made and shown once."""
    form = request.form
    password = accounts.generate()
    try:
        made = accounts.add(
            form.get("name", "").strip(), password, role=form.get("role", ""), clock=time.time
        )
        accounts.limit(made, form.get("domains", ""))
    except InputError as error:
        flash(error.told(say), "error")
        return redirect(url_for("system.users"))
    note(f"user {made.name} added", {"role": made.role, "domains": made.domains})
    return render_template("system/password.html", name=made.name, password=password)


@pages.post("/users/<int:number>")
@access.needs("administrator")
def change_user(number: int) -> Response | str:
    """Change role and domains, disable, give a new password or remove; nobody can lock out oneself."""
    user = User.get_or_none(User.id == number)
    if user is None:
        raise InputError("there is no such user")
    act = request.form.get("act", "")
    if user.id == g.user.id and act != "password":
        flash(_("You cannot change your own rights: another administrator has to."), "error")
        return redirect(url_for("system.users"))
    if act == "password":
        password = accounts.generate()
        accounts.set_password(user, password)
        note(f"new password for user {user.name}", {})
        if user.id == g.user.id:
            access.begin(user)
        return render_template("system/password.html", name=user.name, password=password)
    before = {"role": user.role, "domains": user.domains, "disabled": user.disabled}
    if act == "remove":
        ApiToken.delete().where(ApiToken.user_id == user.id).execute()
        User.delete().where(User.id == user.id).execute()
        note(f"user {user.name} removed", before)
    elif act == "rights":
        if request.form.get("role") not in accounts.ROLES:
            abort(400)
        user.role, user.disabled = request.form["role"], "disabled" in request.form
        if "no_totp" in request.form:
            user.totp = ""
        accounts.limit(user, request.form.get("domains", ""))
        after = {"role": user.role, "domains": user.domains, "disabled": user.disabled}
        note(f"user {user.name} changed", {"from": before, "to": after})
    else:
        abort(400)
    flash(_("Saved."), "good")
    return redirect(url_for("system.users"))


def note(what: str, detail: dict[str, object]) -> None:
    """Write into the audit trail."""
    ip = request.remote_addr or ""
    audit.append(models.database.obj, clock=time.time, who=g.user.name, ip=ip, what=what, detail=detail)
