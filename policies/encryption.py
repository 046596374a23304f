"""What becomes of a message with something encrypted in it, for one recipient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mailweir.policies import addresses
from mailweir.policies.fields import FIELD_OF, Encrypted
from mailweir.policies.scopes import AllowEntry, Scope, value_of
from mailweir.policies.trace import Trace
from mailweir.records.words import Direction


@dataclass(frozen=True)
class Parties:
    """Who writes to whom, and which domains an authentication result vouches for."""

    sender: str
    recipient: str
    authenticated_domains: frozenset[str] = frozenset()
    delimiter: str = ""


def is_proven(direction: Direction, parties: Parties) -> bool:
    """Whether the sender is who he says.

    Outbound mail was accepted from a client that Postfix trusts to send; anything else needs an
    authentication result for the sender's domain.
    """
    proven = map(addresses.normal_domain, parties.authenticated_domains)
    return direction is Direction.OUTBOUND or addresses.domain_of(parties.sender) in proven


def sender_counts(scopes: Sequence[Scope], direction: Direction, parties: Parties) -> bool:
    """Whether an entry that names the sender holds: he is proven, or the policy lets forged senders pass."""
    return is_proven(direction, parties) or bool(value_of(scopes, f"{FIELD_OF[direction]}.forged_senders")[0])


def listed(
    scopes: Sequence[Scope], direction: Direction, parties: Parties, now: float
) -> tuple[Scope, AllowEntry] | None:
    """The allow entry that holds for these parties, with its scope: narrowest scope and key first."""
    side = FIELD_OF[direction]
    wanted = Direction.OUTBOUND if direction is Direction.OUTBOUND else Direction.INBOUND
    counts = sender_counts(scopes, direction, parties)
    sender_keys = addresses.keys(parties.sender, parties.delimiter) if counts else []
    recipient_keys = addresses.keys(parties.recipient, parties.delimiter)
    for scope in scopes:
        for party, keys in (("recipient", recipient_keys), ("sender", sender_keys)):
            for key in keys:
                for entry in scope.entries.get((wanted, party, key), ()):
                    if entry.expires is None or now < entry.expires:
                        return scope, entry
        if not scope.fields.get(f"{side}.list_adds", True):
            break
    return None


def treat(
    scopes: Sequence[Scope], direction: Direction, parties: Parties, kinds: tuple[str, ...], now: float
) -> tuple[Encrypted, Trace]:
    """ALLOW, REJECT or UNSCANNABLE (the list is looked up here), and why."""
    name = f"{FIELD_OF[direction]}.encrypted"
    value, scope = value_of(scopes, name)
    treatment = Encrypted(value)
    trace = Trace(scope.kind, scope.name, name, treatment.value, None, kinds)
    if treatment is not Encrypted.ALLOW_LIST:
        return treatment, trace
    found = listed(scopes, direction, parties, now)
    if found is None:
        return Encrypted.UNSCANNABLE, trace
    scope, entry = found
    shown = entry.pattern if entry.party == "recipient" else f"sender {entry.pattern}"
    return Encrypted.ALLOW, Trace(scope.kind, scope.name, name, treatment.value, shown, kinds)
