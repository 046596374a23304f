"""Policies: the default, domains and groups, each with what is done about mail that cannot be scanned."""

from __future__ import annotations

import json
import time

from flask import Blueprint, Response, abort, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as AnyResponse

from mailweir.agent import publish
from mailweir.errors import InputError, MailweirError
from mailweir.policies import addresses
from mailweir.policies.fields import UNSCANNABLE_KINDS
from mailweir.records.models import Audit, Domain, Group, GroupMember
from mailweir.webui import access, allow_list, allow_text, dry_run, policy_form, policy_store
from mailweir.webui.policy_access import by, is_mine, load, require_change
from mailweir.webui.policy_store import Settings
from mailweir.webui.text import say

pages = Blueprint("policies", __name__, url_prefix="/policies")
pages.register_blueprint(allow_list.pages)
MAX_HISTORY = 200


@pages.get("")
def list_() -> str:
    """The scopes that the user may see, and which of them holds for an address."""
    address, limits = request.args.get("address", "").strip(), access.domains(g.user)
    if address and limits and domain_of(address) not in limits:
        flash(_("You are limited to some domains: give an address of one of these."), "error")
        address = ""
    scopes = publish.load().scopes_of(address) if address else ()
    members: dict[int, int] = {}
    for row in GroupMember.select(GroupMember.group_id):
        members[row.group_id] = members.get(row.group_id, 0) + 1
    return render_template(
        "policies/list.html",
        domains=[row for row in Domain.select().order_by(Domain.name) if is_mine("domain", row.name)],
        groups=[] if limits else list(Group.select().order_by(Group.position, Group.id)),
        members=members,
        address=address,
        scopes=scopes,
    )


@pages.route("/<any(default, domain, group):kind>/<int:number>/filtering", methods=["GET", "POST"])
def filtering(kind: str, number: int) -> str | AnyResponse:
    """The tab Filtering: show, try out or store the settings."""
    settings = load(kind, number)
    if request.method == "GET":
        return show_filtering(settings, policy_form.fill(settings))
    require_change()
    try:
        fields, allow = policy_form.read(request.form, settings, by())
        if "try" in request.form:
            old = publish.load()
            new = dry_run.changed_set(old, kind, settings.name, fields, allow)
            return show_filtering(
                settings, request.form, dry_run.run(old, new, now=time.time(), domains=access.domains(g.user))
            )
        policy_store.save(settings, fields, allow, by(), request.form.get("stamp", ""))
    except MailweirError as error:
        flash(error.told(say), "error")
        return show_filtering(settings, request.form)
    flash(_("Saved. New mail is treated by it within a second or two."), "good")
    return redirect(url_for("policies.filtering", kind=kind, number=number))


def show_filtering(
    settings: Settings, form: MultiDict[str, str], tried: dry_run.Outcome | None = None
) -> str:
    """The form with these values in it."""
    below = {} if settings.kind == "default" else dict(policy_store.load("default", 0).fields)
    if access.domains(g.user):  # the default names people of other domains
        below = {name: value for name, value in below.items() if not name.endswith(".administrators")}
    return render_template(
        "policies/filtering.html",
        scope=settings,
        form=form,
        fields=policy_form.fields(form, below),
        kinds=UNSCANNABLE_KINDS,
        sides=policy_form.SIDES,
        tried=tried,
    )


@pages.get("/<any(default, domain, group):kind>/<int:number>/<any(inbound, outbound):side>.txt")
def export(kind: str, number: int, side: str) -> Response:
    """An allow list as a text file, which can be put into the form again."""
    settings = load(kind, number)
    text = allow_text.to_text(settings.entries(policy_form.SIDES[side]))
    headers = {"Content-Disposition": f'attachment; filename="{kind}-{number}-{side}.txt"'}
    return Response(text, mimetype="text/plain", headers=headers)


@pages.route("/group/<int:number>/members", methods=["GET", "POST"])
def members(number: int) -> str | AnyResponse:
    """The tab Members of a group."""
    settings = load("group", number)
    text = "".join(pattern + "\n" for pattern in settings.members)
    if request.method == "POST":
        require_change()
        text = request.form.get("members", "")
        try:
            policy_store.save_members(number, text.splitlines(), by())
        except MailweirError as error:
            flash(error.told(say), "error")
        else:
            flash(_("Saved."), "good")
            return redirect(url_for("policies.members", number=number))
    return render_template("policies/members.html", scope=settings, text=text)


@pages.get("/<any(default, domain, group):kind>/<int:number>/history")
def history(kind: str, number: int) -> str:
    """The tab History: who changed what, from and to."""
    settings = load(kind, number)
    rows = []
    for row in Audit.select().where(Audit.detail.contains('"scope"')).order_by(Audit.id.desc()).limit(5_000):
        detail = json.loads(row.detail)
        # The name as well: a database may give a removed domain's number to the next one.
        if (detail.get("scope"), detail.get("number"), detail.get("name")) == (kind, number, settings.name):
            rows.append((row, differences(detail.get("from"), detail.get("to"))))
    return render_template("policies/history.html", scope=settings, rows=rows[:MAX_HISTORY])


def differences(before: object, after: object, name: str = "") -> list[tuple[str, str, str]]:
    """What differs between two stored states: field, before, after."""
    if isinstance(before, dict) and isinstance(after, dict):
        keys = list(dict.fromkeys([*before, *after]))
        found = [differences(before.get(key), after.get(key), f"{name}.{key}".lstrip(".")) for key in keys]
        return [item for part in found for item in part]
    if isinstance(before, list) and isinstance(after, list):
        gone = [_one(item) for item in before if item not in after]
        new = [_one(item) for item in after if item not in before]
        return [(name, "\n".join(gone), "\n".join(new))] if gone or new else []
    return [] if before == after else [(name, _one(before), _one(after))]


def _one(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, dict):
        return " ".join(
            str(value[key]) for key in ("direction", "party", "pattern", "note") if value.get(key)
        )
    return str(value)


def domain_of(address: str) -> str:
    """The domain of an address as the pages write it; "" where there is none."""
    try:
        return addresses.domain_of(address)
    except InputError:
        return ""


@pages.post("/change")
@access.needs("administrator")
def change() -> AnyResponse:
    """The small forms: add or remove a domain or group, move a group, say whether a domain is ours."""
    if access.domains(g.user):
        abort(403, _("Which domains and groups there are concerns all; you are limited to some."))
    form = request.form
    act, number = form.get("act", ""), form.get("number", 0, type=int)
    if act == "add-domain":
        made = policy_store.add_domain(form.get("name", ""), form.get("ours") == "yes", by())
        return redirect(url_for("policies.filtering", kind="domain", number=made))
    if act == "add-group":
        return redirect(
            url_for("policies.members", number=policy_store.add_group(form.get("name", ""), by()))
        )
    if act in ("up", "down"):
        policy_store.move_group(number, -1 if act == "up" else 1, by())
    elif act == "ours":
        policy_store.set_ours(number, form.get("ours") == "yes", by())
    elif act in ("remove-domain", "remove-group"):
        policy_store.remove(act.removeprefix("remove-"), number, by())
        flash(_("Removed."), "good")
    else:
        abort(400)
    return redirect(url_for("policies.list_"))
