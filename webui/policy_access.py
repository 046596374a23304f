"""Whose policies somebody sees and changes: a user limited to domains has those of these, no others."""

from __future__ import annotations

import time

from flask import abort, g, request
from flask_babel import gettext as _

from mailweir.errors import InputError
from mailweir.webui import access, policy_store
from mailweir.webui.policy_store import By, Settings


def by() -> By:
    """Who is changing something now."""
    return By(g.user.name, request.remote_addr or "", time.time())


def load(kind: str, number: int) -> Settings:
    """The settings of a scope; what is not the user's looks exactly like what does not exist."""
    limits = access.domains(g.user)
    try:
        settings = policy_store.load(kind, number)
    except InputError:
        settings = None
    if settings is None or (limits and not is_mine(settings.kind, settings.name)):
        abort(404, _("There is no such policy, or it is not yours to see."))
    return settings


def is_mine(kind: str, name: str) -> bool:
    """Whether the user may see that scope."""
    limits = access.domains(g.user)
    return not limits or (kind == "domain" and name in limits)


def require_change() -> None:
    """Refuse whoever may only look."""
    if not access.allows(g.user, "administrator"):
        abort(403, _("Only an administrator may change policies."))
