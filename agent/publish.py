"""Makes one PolicySet of the policy tables and publishes it to the filter's workers.

The file is replaced by rename, so a worker reads either the old or the new policies and never half of them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mailweir.agent import health
from mailweir.agent.postconf import PostfixSettings
from mailweir.errors import InputError
from mailweir.policies.scopes import PolicySet
from mailweir.records.models import AllowEntry, Domain, Group, GroupMember, Policy
from mailweir.records.words import Direction


def load(postfix: PostfixSettings | None = None, *, lists: bool = True) -> PolicySet:
    """The policies as they stand in the database. Raises InputError when a row makes no sense.

    Postfix's own domains count as ours unless the domain table says otherwise. Who has no Postfix at hand,
    such as the pages, compares addresses by what the agents reported. lists=False leaves out the allow
    lists, which can be long, for those who ask for other fields.
    """
    postfix = postfix or PostfixSettings(health.delimiters())
    domains = {row.id: row for row in Domain.select().order_by(Domain.id)}
    groups = list(Group.select().order_by(Group.position, Group.id))
    members: dict[int, list[str]] = {}
    for member in GroupMember.select().order_by(GroupMember.position, GroupMember.id):
        members.setdefault(member.group_id, []).append(member.pattern)
    policies = {(row.scope, row.scope_id): row for row in Policy.select()}
    entries: dict[int, list[AllowEntry]] = {}
    for entry in AllowEntry.select().order_by(AllowEntry.id) if lists else ():
        entries.setdefault(entry.policy_id, []).append(entry)

    def scope(kind: str, number: int, name: str, held: Iterable[str] = ()) -> dict[str, Any]:
        row = policies.get((kind, number))
        return {
            "scope": kind,
            "name": name,
            "members": list(held),
            "fields": json.loads(row.fields) if row else {},
            "allow": [_entry(entry) for entry in entries.get(row.id, ())] if row else [],
        }

    try:
        scopes = [scope("default", 0, "")]
        scopes += [scope("domain", number, row.name) for number, row in domains.items()]
        scopes += [scope("group", row.id, row.name, members.get(row.id, ())) for row in groups]
    except ValueError as error:
        raise InputError(f"a policy's fields are damaged: {error}") from error
    return PolicySet.from_json(
        {
            "scopes": scopes,
            "domains": dict.fromkeys(sorted(postfix.domains), True)
            | {row.name: row.ours for row in domains.values()},
            "recipient_delimiter": postfix.recipient_delimiter,
        }
    )


def _entry(row: AllowEntry) -> dict[str, Any]:
    return {
        "direction": Direction(row.direction).word,
        "pattern": row.pattern,
        "party": row.party,
        "expires": row.expires,
        "note": row.note,
        "author": row.author,
        "created": row.created,
    }


def write(policies: PolicySet, path: Path) -> bool:
    """Publish, unless the file says the same already. Raises OSError."""
    text = json.dumps(policies.to_json(), ensure_ascii=False, indent=1) + "\n"
    try:
        if path.read_text("utf-8") == text:
            return False
    except (OSError, UnicodeDecodeError):
        pass
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".new")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
    return True
