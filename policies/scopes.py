"""The policies as data: a default, domains and groups, each setting what it does not want to inherit.

The agent writes a PolicySet into the snapshot file and the filter's workers read it, so everything here is
plain values, checked once when they are read; who decides what with them stands in verdict.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from mailweir.errors import InputError
from mailweir.policies import addresses
from mailweir.policies.fields import DEFAULTS, FIELD_OF, checked
from mailweir.records.words import Direction


@dataclass(frozen=True)
class AllowEntry:
    """One line of an allow list; expires in seconds since 1970."""

    direction: Direction
    pattern: str
    party: str = "recipient"
    expires: float | None = None
    note: str = ""
    author: str = ""
    created: float = 0.0

    @cached_property
    def key(self) -> str:
        """The pattern's look-up key."""
        return addresses.pattern_key(self.pattern)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "direction": self.direction.word,
            "pattern": self.pattern,
            "party": self.party,
            "expires": self.expires,
            "note": self.note,
            "author": self.author,
            "created": self.created,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> AllowEntry:
        """The inverse of as_dict. Raises InputError."""
        try:
            direction = Direction[str(values["direction"]).upper()]
            expires = values.get("expires")
            entry = cls(
                Direction.INBOUND if direction is Direction.INTERNAL else direction,
                str(values["pattern"]),
                str(values.get("party", "recipient")),
                None if expires is None else float(expires),
                str(values.get("note", "")),
                str(values.get("author", "")),
                float(values.get("created", 0.0)),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"an allow entry is malformed: {error!r}") from error
        if entry.party not in ("recipient", "sender"):
            raise InputError(f"the party of an allow entry is recipient or sender, not {entry.party!r}")
        _ = entry.key
        return entry


@dataclass(frozen=True)
class Scope:
    """The settings of the default, of one domain or of one group; what it leaves out it inherits."""

    kind: str  # "default", "domain" or "group"
    name: str = ""
    members: tuple[str, ...] = ()  # of a group: addresses, domains, .domain
    fields: Mapping[str, Any] = field(default_factory=dict)
    allow: tuple[AllowEntry, ...] = ()

    @cached_property
    def member_keys(self) -> frozenset[str]:
        """The members' look-up keys."""
        return frozenset(addresses.pattern_key(member) for member in self.members)

    @cached_property
    def entries(self) -> dict[tuple[Direction, str, str], list[AllowEntry]]:
        """The allow list by direction, party and key."""
        table: dict[tuple[Direction, str, str], list[AllowEntry]] = {}
        for entry in self.allow:
            table.setdefault((entry.direction, entry.party, entry.key), []).append(entry)
        return table

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "scope": self.kind,
            "name": self.name,
            "members": list(self.members),
            "fields": dict(self.fields),
            "allow": [entry.as_dict() for entry in self.allow],
        }


@dataclass(frozen=True)
class PolicySet:
    """All policies of one moment."""

    scopes: tuple[Scope, ...] = ()  # groups in their order
    domains: Mapping[str, bool] = field(default_factory=dict)  # domain -> is it ours
    recipient_delimiter: str = ""

    @classmethod
    def default(cls) -> PolicySet:
        """What holds before anybody has set anything."""
        return cls((Scope("default"),))

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> PolicySet:
        """Read what to_json made. Raises InputError naming what is wrong."""
        try:
            scopes = tuple(_scope_from(values) for values in document.get("scopes", ()))
            domains = {
                addresses.normal_domain(str(name)): bool(ours)
                for name, ours in document.get("domains", {}).items()
            }
            delimiter = str(document.get("recipient_delimiter", ""))
        except (AttributeError, KeyError, TypeError) as error:
            raise InputError(f"the policies are malformed: {error!r}") from error
        policies = cls(scopes, domains, delimiter)
        for scope in scopes:
            _ = scope.member_keys, scope.entries
        return policies

    def to_json(self) -> dict[str, Any]:
        """As plain values for json.dumps."""
        return {
            "scopes": [scope.as_dict() for scope in self.scopes],
            "domains": dict(self.domains),
            "recipient_delimiter": self.recipient_delimiter,
        }

    def is_ours(self, domain: str) -> bool | None:
        """Whether the domain table calls the domain ours; None when it does not list it."""
        return self.domains.get(addresses.normal_domain(domain))

    @cached_property
    def _domain_scopes(self) -> dict[str, Scope]:
        return {addresses.normal_domain(item.name): item for item in self.scopes if item.kind == "domain"}

    @cached_property
    def _default(self) -> Scope:
        return next((item for item in self.scopes if item.kind == "default"), Scope("default"))

    def scopes_of(self, address: str) -> tuple[Scope, ...]:
        """The scopes that hold for an address of ours, the narrowest first: group, domain, default."""
        found: list[Scope] = []
        wanted = addresses.keys(address, self.recipient_delimiter)
        for scope in self.scopes:
            if scope.kind == "group" and not scope.member_keys.isdisjoint(wanted):
                found.append(scope)
                break
        domain = self._domain_scopes.get(addresses.domain_of(address))
        if domain:
            found.append(domain)
        return (*found, self._default)

    def lifetime(self, direction: Direction, sender: str, recipient: str) -> float:
        """Seconds that a message may stay pending for that recipient."""
        scopes = self.scopes_of(local_party(direction, sender, recipient))
        return float(value_of(scopes, f"{FIELD_OF[direction]}.lifetime")[0])


def local_party(direction: Direction, sender: str, recipient: str) -> str:
    """Whose policy decides: the recipient's, for outbound the sender's."""
    return sender if direction is Direction.OUTBOUND else recipient


def value_of(scopes: Sequence[Scope], name: str) -> tuple[Any, Scope]:
    """The value of a field and the scope that sets it; the default scope for a built-in value."""
    for scope in scopes:
        if name in scope.fields:
            return scope.fields[name], scope
    return DEFAULTS[name], scopes[-1]


def _scope_from(values: Mapping[str, Any]) -> Scope:
    kind = values["scope"]
    if kind not in ("default", "domain", "group"):
        raise InputError(f"a policy's scope is default, domain or group, not {kind!r}")
    return Scope(
        kind,
        str(values.get("name", "")),
        _texts(values.get("members", ())),
        {name: checked(name, value) for name, value in values.get("fields", {}).items()},
        tuple(AllowEntry.from_dict(entry) for entry in values.get("allow", ())),
    )


def _texts(values: Iterable[Any]) -> tuple[str, ...]:
    return tuple(str(value) for value in values)
