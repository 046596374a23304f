"""How often somebody may try to log in, by client address and by name, over all processes and nodes.

Whoever floods a name from many addresses keeps out others who guess that name, but not its user where he
logged in before: from there only the address counts.
"""

from __future__ import annotations

import hashlib

import limits
from flask import current_app

from mailweir.records import logins, models
from mailweir.records.logins import Rate
from mailweir.records.models import User


class Attempt:
    """One attempt to log in; it counts when it begins and is given back when it succeeds."""

    def __init__(self, name: str, ip: str, now: float) -> None:
        self.name = name
        self._address = logins.network(ip)
        self._now = now
        limit = limits.parse(current_app.config["MAILWEIR"].web.login_limit)
        self._rate = Rate(limit.amount, limit.get_expiry())
        self._counted: list[str] = []

    def begin(self) -> float:
        """Count it; 0 when it may be made, else the seconds to wait."""
        buckets = [f"ip:{self._address}"]
        user = User.get_or_none(User.name == self.name)
        if user is None or not logins.is_known(user.id, self._address, self._now):
            # A digest, so that what somebody typed (perhaps a password) stands nowhere; unknown names count
            # like known ones, so that nobody can tell them apart.
            buckets.append("name:" + hashlib.sha256(self.name.lower().encode()).hexdigest()[:32])
        for bucket in buckets:
            if wait := logins.count(models.database.obj, bucket, self._rate, self._now):
                return wait
            self._counted.append(bucket)
        return 0.0

    def succeeded(self, user: User) -> None:
        """It was the user: it does not count, and the address is known from now on."""
        for bucket in self._counted:
            logins.give_back(models.database.obj, bucket, self._rate)
        logins.remember(models.database.obj, user.id, self._address, self._now)
