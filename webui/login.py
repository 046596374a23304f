"""Log in and out; guessing is slowed down by throttle.py."""

from __future__ import annotations

import math
import time

from flask import Blueprint, flash, g, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import PasswordField, StringField
from wtforms.validators import InputRequired, Length

from mailweir.webui import access, accounts, second_factor, throttle
from mailweir.webui.text import span

pages = Blueprint("login", __name__)


class LoginForm(FlaskForm):
    """Name and password."""

    name = StringField("User", [InputRequired(), Length(max=64)])
    password = PasswordField("Password", [InputRequired(), Length(max=1024)])
    code = StringField("Code", [Length(max=10)])


@pages.route("/login", methods=["GET", "POST"])
def log_in() -> str | Response | tuple[str, int] | tuple[str, int, dict[str, str]]:
    """The log-in form; a right password leads to where the user wanted to go."""
    target = access.local_path(request.args.get("next"), url_for("overview.show"))
    if g.user is not None:
        return redirect(target)
    form = LoginForm()
    if not form.validate_on_submit():
        return render_template("login/form.html", form=form)
    attempt = throttle.Attempt((form.name.data or "").strip(), request.remote_addr or "", time.time())
    if wait := attempt.begin():
        flash(_("Too many attempts: wait %(time)s, then try again.", time=span(math.ceil(wait))), "error")
        return render_template("login/form.html", form=form), 429, {"Retry-After": str(math.ceil(wait))}
    user = accounts.check(attempt.name, form.password.data or "")
    if user is None:
        flash(_("Name or password is wrong."), "error")
        return render_template("login/form.html", form=form), 401
    if user.totp:
        step = second_factor.matching_step(user.totp, form.code.data or "", time.time(), user.totp_step)
        if step is None:
            flash(_("Give the code from your authenticator app too."), "error")
            return render_template("login/form.html", form=form, factor=True), 401
        user.totp_step = step
        user.save()
    attempt.succeeded(user)
    access.begin(user)
    return redirect(target)


@pages.post("/logout")
def log_out() -> Response:
    """End the session."""
    session.clear()
    return redirect(url_for("login.log_in"))
