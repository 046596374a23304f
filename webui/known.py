"""What is known of a stalled message's sender, for whoever decides whether to force it.

With it comes a narrow way to let the next such message through by itself: one entry that expires.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from flask import g

from mailweir.agent import publish
from mailweir.content.findings import KINDS, Class
from mailweir.milter import authres
from mailweir.policies.encryption import Parties, is_proven, sender_counts
from mailweir.policies.fields import FIELD_OF, Encrypted
from mailweir.policies.scopes import AllowEntry, Scope, local_party, value_of
from mailweir.records import ids, search
from mailweir.records.models import Address, Attachment, Domain, Group, Message, Recipient
from mailweir.records.words import Direction, Status
from mailweir.webui import access, allow_text, policy_access, policy_store
from mailweir.webui.acts import Item

MAX_SHOWN = 10  # items of a selection that are looked into
MOST = 1_000  # earlier messages that are counted
DAYS = 30  # for which an entry made here holds


@dataclass(frozen=True)
class Fact:
    """What is known about one item: earlier mail, authentication, the same files seen before, and the list
    that a new entry would go into (none: encrypted mail is not treated by a list there)."""

    item: Item
    sender: str
    recipient: str
    subject: str
    findings: tuple[search.FindingRow, ...]
    earlier: int
    authentication: tuple[str, ...]  # what trusted servers said, in words
    proven: bool  # the sender is who he says
    same_files: int
    scope: Scope | None
    entry: AllowEntry | None

    @property
    def value(self) -> str:
        """The form field that asks for the entry."""
        return self.item.value


def about(items: Sequence[Item]) -> list[Fact]:
    """The facts of the first items that the user may see."""
    return [fact for item in items[:MAX_SHOWN] if (fact := _fact(item)) is not None]


def _fact(item: Item) -> Fact | None:
    view = search.message(item.message_id, domains=access.domains(g.user) or None)
    if view is None:
        return None
    stalled = [row for row in view.recipients if row.status == "stalled"]
    row = next((row for row in stalled if item.address in (None, row.address)), None)
    if row is None:
        return None
    results = authres.stored(view.authres)
    direction = Direction[row.direction.upper()]
    scopes = publish.load().scopes_of(local_party(direction, view.sender, row.address))
    parties = Parties(view.sender, row.address, authres.domains_of(results))
    proven = is_proven(direction, parties)
    scope, entry = _list_for(view, row, scopes, direction, parties)
    return Fact(
        item=item,
        sender=view.sender,
        recipient=row.address,
        subject=view.subject,
        findings=view.findings,
        earlier=_earlier(view.sender, row.address_id, item.message_id),
        authentication=tuple(authres.in_words(results)),
        proven=proven,
        same_files=_same_files(view),
        scope=scope,
        entry=entry,
    )


def _earlier(sender: str, address_id: int, before: int) -> int:
    """How many earlier messages of the sender the recipient got delivered."""
    mine = Address.select(Address.id).where(Address.address == sender)
    rows = (
        Recipient.select(Recipient.message_id)
        .join(Message, on=(Message.id == Recipient.message_id))
        .where(
            Recipient.address_id == address_id,
            Recipient.message_id < before,
            Recipient.status == Status.DELIVERED,
            Message.sender_id.in_(mine),
        )
    )
    return int(rows.limit(MOST).count())


def _same_files(view: search.MessageView) -> int:
    """How many other messages, of those that the user may see, carried one of the same files."""
    digests = [row.sha256 for row in view.attachments if row.sha256]
    if not digests:
        return 0
    if limits := access.domains(g.user):
        pages = [search.mail_in(search.Filter(file=digest, domains=limits)) for digest in digests]
        return len({row.id for page in pages for row in page} - {view.id})
    rows = Attachment.select(Attachment.message_id).where(
        Attachment.sha256.in_(digests), Attachment.message_id != view.id
    )
    return int(rows.distinct().limit(MOST).count())


def _list_for(
    view: search.MessageView,
    row: search.RecipientRow,
    scopes: Sequence[Scope],
    direction: Direction,
    parties: Parties,
) -> tuple[Scope | None, AllowEntry | None]:
    """The scope whose list decides about this mail, and the narrowest entry that would let it through."""
    if not any(KINDS.get(found.kind) is Class.ENCRYPTED for found in view.findings):
        return None, None
    treatment, scope = value_of(scopes, f"{FIELD_OF[direction]}.encrypted")
    if treatment != Encrypted.ALLOW_LIST or not view.sender or not sender_counts(scopes, direction, parties):
        return None, None
    if not policy_access.is_mine(scope.kind, scope.name):
        return None, None
    now = time.time()
    outbound = direction is Direction.OUTBOUND
    entry = AllowEntry(
        Direction.OUTBOUND if outbound else Direction.INBOUND,
        row.address if outbound else view.sender,
        "recipient" if outbound else "sender",
        allow_text.end_of(time.strftime("%Y-%m-%d", time.gmtime(now + DAYS * 86_400))),
        f"forced {ids.to_text(view.id)}",
        g.user.name,
        now,
    )
    return scope, entry


def allow_in_future(wanted: Iterable[str], items: Sequence[Item], *, ip: str) -> list[str]:
    """Add the entries that the confirmation page offered and somebody ticked; returns them as lines."""
    ticked = set(wanted)
    added = []
    for fact in about([item for item in items if item.value in ticked]) if ticked else []:
        if fact.scope is not None and fact.entry is not None:
            by = policy_store.By(g.user.name, ip, time.time())
            policy_store.add_entry(fact.scope.kind, _number(fact.scope), fact.entry, by)
            added.append(allow_text.line(fact.entry))
    return added


def _number(scope: Scope) -> int:
    if scope.kind == "default":
        return 0
    table = Domain if scope.kind == "domain" else Group
    return int(table.get(table.name == scope.name).id)
