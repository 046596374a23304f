"""What changed policies would have decided about the mail of the last days, from the findings we stored."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mailweir.content.findings import KINDS
from mailweir.content.findings import Finding as Seen
from mailweir.policies.addresses import domain_of
from mailweir.policies.scopes import AllowEntry, PolicySet, Scope, local_party
from mailweir.policies.verdict import Verdict, decide
from mailweir.records import figures, ids
from mailweir.records.models import Address, Finding, Message, Recipient
from mailweir.records.words import Direction

DAYS = 30
MAX_MESSAGES = 5_000  # the newest ones with findings; more would make the page slow
MAX_SHOWN = 100


@dataclass(frozen=True)
class Change:
    """One recipient for whom the verdict would have been another."""

    message_id: int
    sender: str
    recipient: str
    subject: str
    kinds: tuple[str, ...]
    was: Verdict
    would_be: Verdict


@dataclass(frozen=True)
class Outcome:
    """What a dry run found: the first changes, how many in all, and how many messages were looked at."""

    changes: tuple[Change, ...]
    count: int
    messages: int
    complete: bool


def changed_set(
    policies: PolicySet, kind: str, name: str, fields: Mapping[str, Any], allow: Sequence[AllowEntry]
) -> PolicySet:
    """The policies with one scope's settings replaced."""

    def replaced(scope: Scope) -> Scope:
        if (scope.kind, scope.name) != (kind, name):
            return scope
        return dataclasses.replace(scope, fields=dict(fields), allow=tuple(allow))

    return dataclasses.replace(policies, scopes=tuple(replaced(scope) for scope in policies.scopes))


def run(old: PolicySet, new: PolicySet, *, now: float, domains: tuple[str, ...] = ()) -> Outcome:
    """Decide with both for every recipient of the last days' mail in which something was found.

    With domains, only for recipients whose local party is in one of these, and nothing else is counted.
    """
    first = ids.first_id(int((now - DAYS * 86_400) * 1000))
    found = figures.with_findings(first, domains, MAX_MESSAGES + 1)
    chosen = Message.select(Message.id, Message.sender_id, Message.subject)
    messages = list(chosen.where(Message.id.in_(found)).order_by(Message.id.desc()))
    complete = len(messages) <= MAX_MESSAGES
    changes: list[Change] = []
    count = 0
    for change in _changes(messages[:MAX_MESSAGES], old, new, now, domains):
        count += 1
        if len(changes) < MAX_SHOWN:
            changes.append(change)
    return Outcome(tuple(changes), count, min(len(messages), MAX_MESSAGES), complete)


def _changes(
    messages: Sequence[Message], old: PolicySet, new: PolicySet, now: float, domains: tuple[str, ...]
) -> Iterator[Change]:
    for start in range(0, len(messages), 400):
        chunk = messages[start : start + 400]
        numbers = [message.id for message in chunk]
        seen: dict[int, list[Seen]] = {}
        for found in Finding.select().where(Finding.message_id.in_(numbers)):
            if found.kind in KINDS:
                one = Seen(found.kind, found.part, found.name, found.detail)
                seen.setdefault(found.message_id, []).append(one)
        to: dict[int, list[Recipient]] = {}
        for row in Recipient.select().where(Recipient.message_id.in_(numbers)):
            to.setdefault(row.message_id, []).append(row)
        wanted = {message.sender_id for message in chunk}
        wanted |= {row.address_id for rows in to.values() for row in rows}
        names = {row.id: row.address for row in Address.select().where(Address.id.in_(list(wanted)))}
        for message in chunk:
            findings = seen.get(message.id, [])
            for row in to.get(message.id, []):
                facts: dict[str, Any] = {
                    "direction": Direction(row.direction),
                    "sender": names.get(message.sender_id, ""),
                    "recipient": names.get(row.address_id, ""),
                    "findings": findings,
                    "now": now,
                }
                if (
                    domains
                    and domain_of(local_party(facts["direction"], facts["sender"], facts["recipient"]))
                    not in domains
                ):
                    continue
                was, would_be = decide(old, **facts), decide(new, **facts)
                if was.action is not would_be.action:
                    kinds = tuple(sorted({finding.kind for finding in findings}))
                    yield Change(
                        message.id, facts["sender"], facts["recipient"], message.subject, kinds, was, would_be
                    )
