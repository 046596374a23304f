"""One's own profile: language, time zone, password, second factor and API tokens."""

from __future__ import annotations

import hashlib
import secrets
import time

from flask import Blueprint, flash, g, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from mailweir.errors import InputError
from mailweir.records.models import ApiToken
from mailweir.webui import access, accounts, second_factor
from mailweir.webui.language import LANGUAGES, zones
from mailweir.webui.system import note
from mailweir.webui.text import say

pages = Blueprint("profile", __name__, url_prefix="/profile")
TOKEN_PREFIX = "mw_"  # noqa: S105 (lets people and secret scanners recognise one)
MAX_TOKENS = 20


@pages.get("")
def show() -> str:
    """The page."""
    return page()


def page(new_token: str = "") -> str:
    """The page, with a token that is shown this once."""
    if not g.user.totp and "totp" not in session:
        session["totp"] = second_factor.new_secret()
    return render_template(
        "profile/show.html",
        languages=LANGUAGES,
        zones=sorted(zones()),
        tokens=list(ApiToken.select().where(ApiToken.user_id == g.user.id).order_by(ApiToken.id)),
        new_token=new_token,
        setup=None if g.user.totp else second_factor.setup(g.user.name, session["totp"]),
    )


@pages.post("/display")
def display() -> Response:
    """Language and time zone."""
    language, zone = request.form.get("language", ""), request.form.get("zone", "")
    g.user.language = language if language in LANGUAGES else ""
    g.user.zone = zone if zone in zones() else ""
    g.user.save()
    flash(_("Saved."), "good")
    return redirect(url_for("profile.show"))


@pages.post("/password")
def password() -> Response:
    """A new password, for whoever knows the old one; other sessions end."""
    form = request.form
    try:
        if accounts.check(g.user.name, form.get("old", "")) is None:
            raise InputError(_("The old password is wrong."))
        if form.get("new", "") != form.get("again", ""):
            raise InputError(_("The new password was not repeated the same."))
        accounts.check_strength(g.user.name, form.get("new", ""))
    except InputError as error:
        flash(error.told(say), "error")
        return redirect(url_for("profile.show"))
    accounts.set_password(g.user, form["new"])
    access.begin(g.user)
    note("own password changed", {})
    flash(_("Saved. Your other sessions have ended."), "good")
    return redirect(url_for("profile.show"))


@pages.post("/second-factor")
def factor() -> Response:
    """Turn the second factor on, with a first code, or off, with the password."""
    if g.user.totp:
        if accounts.check(g.user.name, request.form.get("password", "")) is None:
            flash(_("The password is wrong."), "error")
        else:
            g.user.totp = ""
            g.user.save()
            note("own second factor turned off", {})
            flash(_("Saved."), "good")
        return redirect(url_for("profile.show"))
    step = second_factor.matching_step(session.get("totp", ""), request.form.get("code", ""), time.time(), 0)
    if step is None:
        flash(_("The code is wrong: see that the clock of your device is right."), "error")
        return redirect(url_for("profile.show"))
    g.user.totp, g.user.totp_step = session.pop("totp"), step
    g.user.save()
    note("own second factor turned on", {})
    flash(_("From now on a code is asked for at each log-in."), "good")
    return redirect(url_for("profile.show"))


@pages.post("/tokens")
def tokens() -> Response | str:
    """Make a token, shown once, or remove one."""
    mine = ApiToken.user_id == g.user.id
    if "remove" in request.form:
        ApiToken.delete().where(mine, ApiToken.id == request.form.get("remove", 0, type=int)).execute()
        note("own API token removed", {})
        return redirect(url_for("profile.show"))
    name = " ".join(request.form.get("name", "").split())[:60]
    if not name or ApiToken.select().where(mine).count() >= MAX_TOKENS:
        flash(_("Give the token a name; a user can have %(count)s.", count=MAX_TOKENS), "error")
        return redirect(url_for("profile.show"))
    token = TOKEN_PREFIX + secrets.token_urlsafe(32)
    ApiToken.create(user_id=g.user.id, name=name, digest=digest(token), created=time.time())
    note("own API token made", {"name": name})
    return page(token)


def digest(token: str) -> str:
    """What is stored of a token: it is random enough that a plain hash cannot be guessed back."""
    return hashlib.sha256(token.encode()).hexdigest()
