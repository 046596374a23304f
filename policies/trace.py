"""Why a verdict is what it is: the scope, the field and the list entry that decided.

Stored with every recipient and shown on the message's page, so it must survive the policy's being changed.
"""

from __future__ import annotations

from collections.abc import Mapping
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

    def sentence(self) -> str:
        """The decision in English. Names in it come from policies, entries from whoever wrote them."""
        clause = self._clause()
        return clause[0].upper() + clause[1:] + "."

    def _clause(self) -> str:
        side, _, name = self.field.partition(".")
        who = self._who()
        if not self.field:
            return "nothing was found that a policy treats apart"
        if self.field == "clamd.unavailable":
            return f"no virus scanner answered, and the configuration says {self.value}"
        if name not in LABELS:
            return f"{who} sets {self.field} to {self.value}"
        label = LABELS[name].get(self.value, self.value)
        if self.cause:
            return (
                f"{self.cause._clause()}, and {who} says “{label}” for {side} messages that cannot be scanned"
            )
        if self.entry is not None:
            return (
                f"{self._kinds()} is allowed because {who} lists {self.entry} for {side} encrypted messages"
            )
        what = {
            "encrypted": f"{side} encrypted messages",
            "unscannable": f"{side} messages that cannot be scanned",
            "infected": f"{side} infected messages",
        }[name]
        unlisted = ", whose list does not hold this one" if self.value == "allow-list" else ""
        return f"{self._kinds()} was found, and {who} says “{label}” for {what}{unlisted}"

    def _who(self) -> str:
        if self.scope == "default":
            return "the default policy"
        return f"the policy of {self.scope} {self.scope_name}"

    def _kinds(self) -> str:
        return ", ".join(self.findings) or "nothing"
