"""The verdict for one recipient: what the policies say to what was found.

Each class of findings is decided by itself and the gravest result holds, so an allow list for encrypted
mail never lets a macro or a virus in the same message through.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from mailweir.content.findings import Class, Finding
from mailweir.policies import encryption, unscannable
from mailweir.policies.encryption import Parties
from mailweir.policies.fields import FIELD_OF, Encrypted, Infected, Unscannable
from mailweir.policies.scopes import PolicySet, local_party, value_of
from mailweir.policies.trace import Trace
from mailweir.records.words import Direction


class Action(StrEnum):
    """What is done with the message for one recipient."""

    ACCEPT = "accept"
    STALL = "stall"
    REJECT = "reject"
    DISCARD = "discard"
    DEFER = "defer"


# The gravest first. A message to be scanned again later (defer) is not stalled before that scan.
_GRAVITY = (Action.REJECT, Action.DISCARD, Action.DEFER, Action.STALL, Action.ACCEPT)
_ENCRYPTED = {Encrypted.ALLOW: Action.ACCEPT, Encrypted.REJECT: Action.REJECT}
_UNSCANNABLE = {
    Unscannable.STALL: Action.STALL,
    Unscannable.ALLOW: Action.ACCEPT,
    Unscannable.REJECT: Action.REJECT,
}
_INFECTED = {Infected.REJECT: Action.REJECT, Infected.STALL: Action.STALL, Infected.DISCARD: Action.DISCARD}


@dataclass(frozen=True)
class Verdict:
    """What is done, why by the policies, and the reason in a few words fit for an SMTP reply (ASCII)."""

    action: Action
    trace: Trace
    reason: str


def decide(
    policies: PolicySet,
    *,
    direction: Direction,
    sender: str,
    recipient: str,
    findings: Sequence[Finding],
    authenticated_domains: frozenset[str] = frozenset(),
    unavailable: str = "",
    on_unavailable: Action = Action.DEFER,
    now: float,
) -> Verdict:
    """The verdict for one recipient.

    authenticated_domains are those for which a trusted Authentication-Results header says pass (RFC 8601);
    unavailable says why no virus scanner answered, on_unavailable what then holds; now in seconds since 1970.
    """
    scopes = policies.scopes_of(local_party(direction, sender, recipient))
    results: list[Verdict] = []

    infected = _kinds(findings, Class.INFECTED)
    if infected:
        name = f"{FIELD_OF[direction]}.infected"
        value, scope = value_of(scopes, name)
        trace = Trace(scope.kind, scope.name, name, value, None, infected)
        results.append(Verdict(_INFECTED[Infected(value)], trace, _reason("is infected", infected)))

    encrypted = _kinds(findings, Class.ENCRYPTED)
    if encrypted:
        parties = Parties(sender, recipient, authenticated_domains, policies.recipient_delimiter)
        treatment, trace = encryption.treat(scopes, direction, parties, encrypted, now)
        reason = _reason("is encrypted", encrypted)
        if treatment is Encrypted.UNSCANNABLE:
            then, trace = unscannable.treat(scopes, direction, encrypted, cause=trace)
            results.append(Verdict(_UNSCANNABLE[then], trace, reason))
        else:
            results.append(Verdict(_ENCRYPTED[treatment], trace, reason))

    counted = unscannable.counted(scopes, direction, _kinds(findings, Class.UNSCANNABLE))
    if counted:
        then, trace = unscannable.treat(scopes, direction, counted)
        results.append(Verdict(_UNSCANNABLE[then], trace, _reason("cannot be scanned", counted)))

    if unavailable:
        trace = Trace("default", "", "clamd.unavailable", on_unavailable.value)
        results.append(Verdict(on_unavailable, trace, "message could not be scanned for viruses"))

    if not results:
        return Verdict(Action.ACCEPT, Trace("default"), "")
    verdict = min(results, key=lambda result: _GRAVITY.index(result.action))
    return Verdict(Action.ACCEPT, verdict.trace, "") if verdict.action is Action.ACCEPT else verdict


def _kinds(findings: Sequence[Finding], cls: Class) -> tuple[str, ...]:
    return tuple(sorted({finding.kind for finding in findings if finding.cls is cls}))


def _reason(what: str, kinds: tuple[str, ...]) -> str:
    return f"message {what} ({', '.join(kinds)})"
