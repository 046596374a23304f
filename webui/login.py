"""Log in and out; guessing is slowed down by address and by name."""

from __future__ import annotations

import time

from flask import Blueprint, current_app, flash, g, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import PasswordField, StringField
from wtforms.validators import InputRequired, Length

from mailweir.webui import access, accounts, second_factor

pages = Blueprint("login", __name__)
limiter = Limiter(get_remote_address, storage_uri="memory://")


class LoginForm(FlaskForm):
    """Name and password."""

    name = StringField("User", [InputRequired(), Length(max=64)])
    password = PasswordField("Password", [InputRequired(), Length(max=1024)])
    code = StringField("Code", [Length(max=10)])


def _limit() -> str:
    return str(current_app.config["MAILWEIR"].web.login_limit)


def _name() -> str:
    return "name:" + request.form.get("name", "").strip().lower()[:64]


@pages.route("/login", methods=["GET", "POST"])
@limiter.limit(_limit, methods=["POST"], error_message="Too many attempts: wait a minute, then try again.")
@limiter.limit(
    _limit,
    key_func=_name,
    methods=["POST"],
    error_message="Too many attempts: wait a minute, then try again.",
)
def log_in() -> str | Response | tuple[str, int]:
    """The log-in form; a right password leads to where the user wanted to go."""
    target = access.local_path(request.args.get("next"), url_for("overview.show"))
    if g.user is not None:
        return redirect(target)
    form = LoginForm()
    if not form.validate_on_submit():
        return render_template("login/form.html", form=form)
    user = accounts.check((form.name.data or "").strip(), form.password.data or "")
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
    access.begin(user)
    return redirect(target)


@pages.post("/logout")
def log_out() -> Response:
    """End the session."""
    session.clear()
    return redirect(url_for("login.log_in"))
