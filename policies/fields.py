"""The fields of a policy: what each can say, what it says unless it is set, and how people read it.

There are the same for inbound and outbound, named such as inbound.encrypted; scopes.py inherits them.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Any

from mailweir.content.findings import KINDS, Class
from mailweir.errors import InputError
from mailweir.policies import addresses
from mailweir.records.words import Direction

HOUR = 3600.0
FIELD_OF = {Direction.INBOUND: "inbound", Direction.INTERNAL: "inbound", Direction.OUTBOUND: "outbound"}


class Encrypted(StrEnum):
    """What is done with a message that holds something encrypted."""

    UNSCANNABLE = "unscannable"
    ALLOW_LIST = "allow-list"
    ALLOW = "allow"
    REJECT = "reject"


class Unscannable(StrEnum):
    """What is done with a message that cannot be scanned."""

    STALL = "stall"
    ALLOW = "allow"
    REJECT = "reject"


class Infected(StrEnum):
    """What is done with a message in which a virus was found."""

    REJECT = "reject"
    STALL = "stall"
    DISCARD = "discard"


LABELS: dict[str, dict[str, str]] = {
    "encrypted": {
        Encrypted.UNSCANNABLE: "Treat message as un-scannable",
        Encrypted.ALLOW_LIST: "Allow messages to the address(es)",
        Encrypted.ALLOW: "Allow",
        Encrypted.REJECT: "Reject",
    },
    "unscannable": {
        Unscannable.STALL: "Stall",
        Unscannable.ALLOW: "Allow",
        Unscannable.REJECT: "Reject",
    },
    "infected": {Infected.REJECT: "Reject", Infected.STALL: "Stall", Infected.DISCARD: "Discard"},
}

UNSCANNABLE_KINDS = tuple(kind for kind, cls in KINDS.items() if cls is Class.UNSCANNABLE)
COUNTED_KINDS = tuple(kind for kind in UNSCANNABLE_KINDS if kind != "active-pdf")

_DEFAULTS: dict[str, Any] = {
    "encrypted": Encrypted.UNSCANNABLE,
    "unscannable": Unscannable.STALL,
    "kinds": list(COUNTED_KINDS),  # which kinds of the class un-scannable count
    "infected": Infected.REJECT,
    "list_adds": True,  # the allow list adds to the inherited one; False: it replaces that
    "forged_senders": False,  # sender entries count for unauthenticated mail too; the page warns
    "notify_administrator": True,  # on stall
    "administrators": [],  # who; empty: notices.administrators of the configuration
    "notify_recipient": False,
}
DEFAULTS: dict[str, Any] = {
    **{f"inbound.{name}": value for name, value in _DEFAULTS.items()},
    "inbound.lifetime": 7 * 24 * HOUR,  # seconds that a message may stay pending
    **{f"outbound.{name}": value for name, value in _DEFAULTS.items()},
    "outbound.lifetime": 24 * HOUR,
}
_WORDS: dict[str, type[StrEnum]] = {"encrypted": Encrypted, "unscannable": Unscannable, "infected": Infected}


def checked(name: str, value: Any) -> Any:
    """The value of one field as it is stored. Raises InputError naming the field and what it takes."""
    short = name.partition(".")[2]
    if name not in DEFAULTS:
        raise InputError("there is no policy field %(name)s", name=repr(name))
    if short in _WORDS:
        words = [str(word) for word in _WORDS[short]]
        if value not in words:
            raise InputError(
                "%(name)s must be one of %(all)s, not %(value)s",
                name=name,
                all=", ".join(words),
                value=repr(value),
            )
        return str(value)
    if short == "lifetime":
        if type(value) not in (int, float) or not math.isfinite(value) or value < 60:
            raise InputError(
                "%(name)s must be 60 seconds or more, not %(value)s", name=name, value=repr(value)
            )
        return float(value)
    if short in ("kinds", "administrators"):
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
            raise InputError("%(name)s must be a list, not %(value)s", name=name, value=repr(value))
        if short == "kinds":
            unknown = sorted(set(value) - set(UNSCANNABLE_KINDS))
            if unknown:
                raise InputError("%(name)s: no such kind: %(all)s", name=name, all=", ".join(unknown))
        elif not all("@" in addresses.pattern_key(item) for item in value):
            raise InputError("%(name)s takes addresses, not %(all)s", name=name, all=", ".join(value))
        return list(value)
    if type(value) is not bool:
        raise InputError("%(name)s must be true or false, not %(value)s", name=name, value=repr(value))
    return value
