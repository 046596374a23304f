"""Who is asking, and what they may do.

Every request passes `require_user`: a page is closed unless its endpoint stands in PUBLIC, so a new
blueprint cannot be forgotten.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar
from urllib.parse import urlsplit

from flask import Flask, abort, g, redirect, request, session, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from mailweir.records.models import User
from mailweir.webui import accounts

PUBLIC = {"static", "login.log_in"}

P = ParamSpec("P")
R = TypeVar("R")


def init_app(app: Flask) -> None:
    """Close every page that is not public."""
    app.before_request(require_user)


def require_user() -> Response | None:
    """Find the user of the session; without one, lead to the log-in and back here afterwards."""
    if request.path.startswith("/api/"):  # asks for a token itself; also where it has no such route
        return None
    g.user = session_user()
    if g.user is not None or request.endpoint in PUBLIC:
        return None
    if request.method != "GET":
        abort(401, _("You are logged out: log in and do it again."))
    back = request.full_path.rstrip("?")
    return redirect(url_for("login.log_in", next=back if back != "/" else None))


def session_user() -> User | None:
    """The user that the session names, unless disabled or given a new password since."""
    number = session.get("user")
    if number is None:
        return None
    user: User | None = User.get_or_none(User.id == number)
    if user is None or user.disabled or session.get("stamp") != accounts.stamp(user):
        session.clear()
        return None
    return user


def begin(user: User) -> None:
    """Start the session of a user who has shown the password."""
    session.clear()
    session.permanent = True
    session["user"] = user.id
    session["stamp"] = accounts.stamp(user)


def allows(user: User, role: str) -> bool:
    """Whether the user has at least that role."""
    return accounts.ROLES.index(user.role) >= accounts.ROLES.index(role)


def needs(role: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorator: refuse users below a role with a page that says so."""

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(view)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            if not allows(g.user, role):
                abort(
                    403,
                    _("This needs the role %(role)s; yours is %(own)s.", role=_(role), own=_(g.user.role)),
                )
            return view(*args, **kwargs)

        return checked

    return decorate


def domains(user: User) -> tuple[str, ...]:
    """The domains that the user is limited to; empty: no limit."""
    return tuple(user.domains.split())


def local_path(target: str | None, default: str) -> str:
    """A path on this site to go on to, or the default for anything that could lead elsewhere."""
    if not target or not target.startswith("/") or target.startswith("//") or not target.isprintable():
        return default
    parts = urlsplit(target)
    if parts.scheme or parts.netloc or "\\" in target:
        return default
    return target
