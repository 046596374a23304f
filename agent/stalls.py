"""Finds fresh stalls and says who is to hear of them, by the policies of those concerned.

Fresh means that the filter stalled it lately: what comes back with a restored queue, or is held by hand,
makes no notices.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

from mailweir.policies.fields import FIELD_OF
from mailweir.policies.scopes import PolicySet, local_party, value_of
from mailweir.policies.trace import Trace
from mailweir.records import ids
from mailweir.records.models import Address, Finding, Message, Recipient
from mailweir.records.words import Direction, Source, Status

ADMINISTRATOR, RECIPIENT = "administrator", "recipient"
STALL = "stall"


@dataclass(frozen=True)
class Stall:
    """One recipient of one stalled message; found are the kinds, why is the trace's sentence."""

    message_id: int
    sender: str
    recipient: str
    direction: Direction
    subject: str
    found: tuple[str, ...]
    why: str

    @property
    def time(self) -> float:
        """When it came in, in seconds since 1970."""
        return ids.milliseconds_of(self.message_id) / 1000


def between(node: int, after: float, before: float) -> list[Stall]:
    """What that node's filter stalled in that time (seconds since 1970) and still waits, oldest first."""
    sender = Address.alias()
    rows = (
        Recipient.select(
            Recipient.message_id,
            sender.address.alias("sender"),
            Address.address,
            Recipient.direction,
            Message.subject,
            Recipient.trace,
        )
        .join(Message, on=(Message.id == Recipient.message_id))
        .join(sender, on=(sender.id == Message.sender_id))
        .join(Address, on=(Address.id == Recipient.address_id))
        .where(
            Recipient.status == Status.STALLED,
            Recipient.verdict == STALL,
            Message.node_id == node,
            Message.source == Source.MILTER,
            Recipient.message_id >= ids.first_id(int(after * 1000)),
            Recipient.message_id < ids.first_id(int(before * 1000)),
        )
        .order_by(Recipient.message_id, Address.address)
        .tuples()
    )
    # peewee's types do not know what tuples() does.
    found = list(cast("Iterable[tuple[int, str, str, int, str, str]]", rows))
    kinds = _kinds(sorted({row[0] for row in found}))
    return [
        Stall(number, one, other, Direction(direction), subject, kinds.get(number, ()), _sentence(trace))
        for number, one, other, direction, subject, trace in found
    ]


def _kinds(messages: Sequence[int]) -> dict[int, tuple[str, ...]]:
    kinds: dict[int, tuple[str, ...]] = {}
    for start in range(0, len(messages), 500):
        chosen = messages[start : start + 500]
        rows = Finding.select().where(Finding.message_id.in_(chosen)).order_by(Finding.id)
        for row in rows:
            kinds[row.message_id] = tuple(dict.fromkeys((*kinds.get(row.message_id, ()), row.kind)))
    return kinds


def _sentence(trace: str) -> str:
    try:
        return Trace.from_dict(json.loads(trace or "{}")).sentence()
    except (ValueError, TypeError, AttributeError):
        return ""


def addressed(
    stalls: Iterable[Stall], policies: PolicySet, administrators: Sequence[str]
) -> dict[tuple[str, tuple[str, ...]], list[Stall]]:
    """The stalls by template and whom it goes to; administrators are those of the configuration."""
    groups: dict[tuple[str, tuple[str, ...]], list[Stall]] = {}
    for stall in stalls:
        side = FIELD_OF[stall.direction]
        scopes = policies.scopes_of(local_party(stall.direction, stall.sender, stall.recipient))
        if value_of(scopes, f"{side}.notify_administrator")[0]:
            named = value_of(scopes, f"{side}.administrators")[0] or administrators
            if named:
                groups.setdefault((ADMINISTRATOR, tuple(named)), []).append(stall)
        ours = stall.direction is not Direction.OUTBOUND  # nobody outside is told of our policies
        if ours and value_of(scopes, f"{side}.notify_recipient")[0]:
            groups.setdefault((RECIPIENT, (stall.recipient,)), []).append(stall)
    return groups
