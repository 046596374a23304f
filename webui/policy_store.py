"""Reads and writes the policy tables; every change goes into the audit trail with what was before and after.

The agent publishes changed policies to the filter by itself (agent/publish.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mailweir.errors import InputError, Refused
from mailweir.policies import addresses
from mailweir.policies.fields import checked
from mailweir.policies.scopes import AllowEntry as Entry
from mailweir.records import audit, models
from mailweir.records.models import AllowEntry, Domain, Group, GroupMember, Policy
from mailweir.records.words import Direction

KINDS = ("default", "domain", "group")


@dataclass(frozen=True)
class By:
    """Who changes something, from where and when."""

    user: str
    ip: str
    now: float


@dataclass(frozen=True)
class Settings:
    """One scope with its settings, as a form shows it; stamp tells whether somebody changed it meanwhile."""

    kind: str
    number: int
    name: str
    fields: Mapping[str, Any]
    allow: tuple[Entry, ...]
    members: tuple[str, ...]
    stamp: str

    def entries(self, direction: Direction) -> list[Entry]:
        """The allow list of one direction."""
        return [entry for entry in self.allow if entry.direction is direction]

    def as_dict(self) -> dict[str, Any]:
        """For the audit trail."""
        return {
            "fields": dict(self.fields),
            "allow": [entry.as_dict() for entry in self.allow],
            "members": list(self.members),
        }


def load(kind: str, number: int) -> Settings:
    """The settings of one scope. Raises InputError when there is no such scope."""
    name = ""
    members: tuple[str, ...] = ()
    if kind == "domain":
        name = _named(Domain, number).name
    elif kind == "group":
        name = _named(Group, number).name
        rows = GroupMember.select().where(GroupMember.group_id == number)
        members = tuple(row.pattern for row in rows.order_by(GroupMember.position, GroupMember.id))
    elif kind != "default" or number != 0:
        raise InputError("there is no such policy")
    policy = Policy.get_or_none(Policy.scope == kind, Policy.scope_id == number)
    if policy is None:
        return Settings(kind, number, name, {}, (), members, "0")
    allow = AllowEntry.select().where(AllowEntry.policy_id == policy.id).order_by(AllowEntry.id)
    return Settings(
        kind,
        number,
        name,
        json.loads(policy.fields),
        tuple(_entry(row) for row in allow),
        members,
        f"{policy.changed:.6f}",
    )


def save(before: Settings, fields: Mapping[str, Any], allow: Sequence[Entry], by: By, stamp: str) -> None:
    """Store a scope's settings. Raises InputError for a bad value, Refused when another change came first."""
    new = {name: checked(name, value) for name, value in fields.items()}
    with models.database.atomic():
        current = load(before.kind, before.number)
        if current.stamp != stamp:
            raise Refused("somebody else has changed this policy meanwhile: look at it again, then repeat")
        where = (Policy.scope == before.kind, Policy.scope_id == before.number)
        policy = Policy.get_or_none(*where) or Policy(scope=before.kind, scope_id=before.number)
        policy.fields = json.dumps(new, ensure_ascii=False)
        policy.changed, policy.changed_by = by.now, by.user
        policy.save()
        AllowEntry.delete().where(AllowEntry.policy_id == policy.id).execute()
        if allow:
            AllowEntry.insert_many([_row(policy.id, entry) for entry in allow]).execute()
        after = load(before.kind, before.number)
        note(by, "policy changed", current, {"from": current.as_dict(), "to": after.as_dict()})


def add_entry(kind: str, number: int, entry: Entry, by: By) -> None:
    """Add one entry to a scope's allow list; the same pattern for the same party is replaced."""
    before = load(kind, number)
    same = (entry.direction, entry.party, entry.key)
    kept = [other for other in before.allow if (other.direction, other.party, other.key) != same]
    save(before, before.fields, [*kept, entry], by, before.stamp)


def save_members(group: int, patterns: Sequence[str], by: By) -> None:
    """Store a group's members in order. Raises InputError for one that is no address, domain or .domain."""
    unique = {addresses.pattern_key(pattern): pattern.strip() for pattern in patterns if pattern.strip()}
    with models.database.atomic():
        before = load("group", group)
        GroupMember.delete().where(GroupMember.group_id == group).execute()
        rows = [
            {"group_id": group, "position": position, "pattern": pattern}
            for position, pattern in enumerate(unique.values())
        ]
        if rows:
            GroupMember.insert_many(rows).execute()
        detail = {"from": {"members": list(before.members)}, "to": {"members": list(unique.values())}}
        note(by, "members changed", before, detail)


def add_domain(name: str, ours: bool, by: By) -> int:
    """A domain with its own policy. Raises InputError when it is none or stands there already."""
    normal = addresses.pattern_key(name)
    if "@" in normal or normal.startswith(".") or "." not in normal:
        raise InputError("%(name)s is not a domain", name=repr(name[:80]))
    with models.database.atomic():
        if Domain.get_or_none(Domain.name == normal):
            raise InputError("%(normal)s has a policy already", normal=normal)
        number = int(Domain.create(name=normal, ours=ours).id)
        note(by, "domain added", load("domain", number), {"ours": ours})
    return number


def set_ours(number: int, ours: bool, by: By) -> None:
    """Say whether mail for the domain is ours."""
    with models.database.atomic():
        before = _named(Domain, number)
        Domain.update(ours=ours).where(Domain.id == number).execute()
        note(
            by,
            "domain changed",
            load("domain", number),
            {"from": {"ours": before.ours}, "to": {"ours": ours}},
        )


def add_group(name: str, by: By) -> int:
    """A new last group. Raises InputError for an empty or used name."""
    name = " ".join(name.split())[:80]
    if not name:
        raise InputError("a group needs a name")
    with models.database.atomic():
        if Group.get_or_none(Group.name == name):
            raise InputError("there is a group %(name)s already", name=name)
        last = Group.select().order_by(Group.position.desc()).first()
        number = int(Group.create(name=name, position=last.position + 1 if last else 0).id)
        note(by, "group added", load("group", number), {})
    return number


def move_group(number: int, step: int, by: By) -> None:
    """Move a group one place up (-1) or down (1); the first group that holds an address wins."""
    with models.database.atomic():
        order = [row.id for row in Group.select().order_by(Group.position, Group.id)]
        place = order.index(_named(Group, number).id)
        target = min(max(place + step, 0), len(order) - 1)
        order.insert(target, order.pop(place))
        for position, identifier in enumerate(order):
            Group.update(position=position).where(Group.id == identifier).execute()
        note(by, "group moved", load("group", number), {"from": place + 1, "to": target + 1})


def remove(kind: str, number: int, by: By) -> None:
    """Take a domain or group away with its policy."""
    with models.database.atomic():
        before = load(kind, number)
        for policy in Policy.select().where(Policy.scope == kind, Policy.scope_id == number):
            AllowEntry.delete().where(AllowEntry.policy_id == policy.id).execute()
        Policy.delete().where(Policy.scope == kind, Policy.scope_id == number).execute()
        if kind == "group":
            GroupMember.delete().where(GroupMember.group_id == number).execute()
        table = Group if kind == "group" else Domain
        table.delete().where(table.id == number).execute()
        note(by, f"{kind} removed", before, {"from": before.as_dict()})


def note(by: By, what: str, scope: Settings, detail: Mapping[str, Any]) -> None:
    """Write a policy change into the audit trail."""
    where = {"scope": scope.kind, "number": scope.number, "name": scope.name}
    audit.append(
        models.database.obj,
        clock=lambda: by.now,
        who=by.user,
        ip=by.ip,
        what=what,
        detail={**where, **detail},
    )


def _named(table: type[Any], number: int) -> Any:
    row = table.get_or_none(table.id == number)
    if row is None:
        raise InputError("there is no such %(kind)s", kind=table.__name__.lower())
    return row


def _entry(row: AllowEntry) -> Entry:
    return Entry(
        Direction(row.direction), row.pattern, row.party, row.expires, row.note, row.author, row.created
    )


def _row(policy_id: int, entry: Entry) -> dict[str, Any]:
    return {
        "policy_id": policy_id,
        "direction": entry.direction,
        "pattern": entry.pattern,
        "party": entry.party,
        "expires": entry.expires,
        "note": entry.note,
        "author": entry.author,
        "created": entry.created,
    }
