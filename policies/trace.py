"""Why a verdict is what it is: the scope, the field and the list entry that decided.

Stored with every recipient and shown on the message's page, so it must survive the policy's being changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mailweir.policies.fields import LABELS


@dataclass(frozen=True)
class Trace:
    """One decision; cause is the earlier one that led to it: encrypted mail treated as un-scannable."""

    scope: str
    scope_name: str = ""
    field: str = ""
    value: str = ""
    entry: str | None = None
    findings: tuple[str, ...] = ()
    cause: Trace | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON; "cause" only where there is one."""
        values: dict[str, Any] = {
            "scope": self.scope,
            "scope_name": self.scope_name,
            "field": self.field,
            "value": self.value,
            "entry": self.entry,
            "findings": list(self.findings),
        }
        if self.cause:
            values["cause"] = self.cause.as_dict()
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Trace:
        """Read what as_dict made, however much of it is there."""
        cause = values.get("cause")
        return cls(
            str(values.get("scope", "default")),
            str(values.get("scope_name", "")),
            str(values.get("field", "")),
            str(values.get("value", "")),
            values.get("entry"),
            tuple(str(kind) for kind in values.get("findings", ())),
            cls.from_dict(cause) if isinstance(cause, Mapping) else None,
        )

    def sentence(self, say: Callable[[str], str] = str) -> str:
        """The decision in words. Names in it come from policies, entries from whoever wrote them.

        say translates each of TEXTS and of fields.LABELS; without it the sentence is English.
        """
        clause = self._clause(say)
        return clause[0].upper() + clause[1:] + "."

    def _clause(self, say: Callable[[str], str]) -> str:
        side, _, name = self.field.partition(".")
        who = say(_WHO.get(self.scope, _DEFAULT)) % {"name": self.scope_name}
        if not self.field:
            return say(_NOTHING)
        if self.field == "clamd.unavailable":
            return say(_UNSCANNED) % {"value": self.value}
        what = say(_WHAT.get((side, name), ""))
        if name not in LABELS or not what:
            return say(_SETS) % {"who": who, "field": self.field, "value": self.value}
        values = {
            "who": who,
            "what": what,
            "label": say(LABELS[name].get(self.value, self.value)),
            "kinds": ", ".join(self.findings) or say("nothing"),
            "entry": self.entry or "",
        }
        if self.cause:
            return say(_CAUSED) % (values | {"cause": self.cause._clause(say)})
        if self.entry is not None:
            return say(_LISTED) % values
        return say(_UNLISTED if self.value == "allow-list" else _FOUND) % values


_DEFAULT = "the default policy"
_WHO = {"domain": "the policy of domain %(name)s", "group": "the policy of group %(name)s"}
_WHAT = {
    (side, name): f"{side} {words}"
    for side in ("inbound", "outbound")
    for name, words in (
        ("encrypted", "encrypted messages"),
        ("unscannable", "messages that cannot be scanned"),
        ("infected", "infected messages"),
    )
}
_NOTHING = "nothing was found that a policy treats apart"
_UNSCANNED = "no virus scanner answered, and the configuration says %(value)s"
_SETS = "%(who)s sets %(field)s to %(value)s"
_CAUSED = "%(cause)s, and %(who)s says “%(label)s” for %(what)s"
_LISTED = "%(kinds)s is allowed because %(who)s lists %(entry)s for %(what)s"
_FOUND = "%(kinds)s was found, and %(who)s says “%(label)s” for %(what)s"
_UNLISTED = (
    "%(kinds)s was found, and %(who)s says “%(label)s” for %(what)s, whose list does not hold this one"
)
TEXTS = (
    _DEFAULT, *_WHO.values(), *_WHAT.values(), _NOTHING, _UNSCANNED, _SETS, _CAUSED, _LISTED, _FOUND,
    _UNLISTED, "nothing",
)  # fmt: skip
