"""The verdict: scopes, lists, gravity, and the trace that explains it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mailweir.content.findings import Finding
from mailweir.errors import InputError
from mailweir.policies.direction import direction_of
from mailweir.policies.scopes import AllowEntry, PolicySet, Scope
from mailweir.policies.trace import Trace
from mailweir.policies.verdict import Action, Verdict, decide
from mailweir.records.words import Direction

NOW = 1_800_000_000.0
ZIP = Finding("encrypted-zip", "2/a.zip")
MACRO = Finding("macro", "3/b.xlsm")
VIRUS = Finding("virus", "4/c.exe", detail="Eicar")


def verdict(policies: PolicySet, *findings: Finding, **more: Any) -> Verdict:
    values: dict[str, Any] = {
        "direction": Direction.INBOUND,
        "sender": "alice@outside.example",
        "recipient": "bob@ours.example",
        "now": NOW,
    }
    return decide(policies, findings=findings, **(values | more))


def with_list(*entries: AllowEntry, **fields: Any) -> PolicySet:
    values = {"inbound.encrypted": "allow-list", "outbound.encrypted": "allow-list", **fields}
    return PolicySet((Scope("default", fields=values, allow=entries),))


def test_without_a_finding_everything_is_accepted() -> None:
    assert verdict(PolicySet.default()).action is Action.ACCEPT


@pytest.mark.parametrize(
    ("findings", "action"),
    [
        ((ZIP,), Action.STALL),
        ((MACRO,), Action.STALL),
        ((VIRUS,), Action.REJECT),
        ((ZIP, VIRUS), Action.REJECT),
        ((Finding("active-pdf", "2"),), Action.ACCEPT),
    ],
)
def test_the_default_policy(findings: tuple[Finding, ...], action: Action) -> None:
    assert verdict(PolicySet.default(), *findings).action is action


def test_a_listed_encrypted_message_passes_but_not_the_macro_or_the_virus_with_it() -> None:
    policies = with_list(AllowEntry(Direction.INBOUND, "bob@ours.example"))
    assert verdict(policies, ZIP).action is Action.ACCEPT
    assert verdict(policies, ZIP).trace.entry == "bob@ours.example"
    assert verdict(policies, ZIP, MACRO).action is Action.STALL
    assert verdict(policies, ZIP, VIRUS).action is Action.REJECT
    assert verdict(policies, ZIP, recipient="eve@ours.example").action is Action.STALL


@pytest.mark.parametrize(
    ("pattern", "recipient", "matches"),
    [
        ("bob@ours.example", "BOB@OURS.example", True),
        ("bob@ours.example", '"bob"@ours.example', True),
        ("bob@ours.example", "bob+tag@ours.example", True),
        ("bob+tag@ours.example", "bob+tag@ours.example", True),
        ("bob+tag@ours.example", "bob@ours.example", False),
        ("bob@ours.example", "notbob@ours.example", False),
        ("ours.example", "x@ours.example", True),
        ("ours.example", "x@sub.ours.example", False),
        (".ours.example", "x@a.sub.ours.example", True),
        (".ours.example", "x@ours.example", True),
        (".ours.example", "x@notours.example", False),
        ("bücher.example", "x@xn--bcher-kva.example", True),
        ("x@xn--bcher-kva.example", "X@BÜCHER.example", True),
        ("straße.example", "x@xn--strae-oqa.example", True),
        ("straße.example", "x@strasse.example", False),
        ("pelé@ours.example", "pele\u0301@ours.example", True),
        ("bob@[192.0.2.1]", "bob@[192.0.2.1]", True),
    ],
)
def test_patterns(pattern: str, recipient: str, matches: bool) -> None:
    policies = with_list(AllowEntry(Direction.INBOUND, pattern))
    policies = PolicySet(policies.scopes, {}, "+-")
    wanted = Action.ACCEPT if matches else Action.STALL
    assert verdict(policies, ZIP, recipient=recipient).action is wanted


@pytest.mark.parametrize(
    "pattern", ["", " ", "@", "a b@c.example", "..", ".", "@x.example", "a@", "a@b..c", "a\n@b"]
)
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(InputError):
        PolicySet.from_json(
            {"scopes": [{"scope": "default", "allow": [{"direction": "inbound", "pattern": pattern}]}]}
        )


def test_a_sender_entry_counts_for_authenticated_mail_only_unless_switched_off() -> None:
    entry = AllowEntry(Direction.INBOUND, "alice@outside.example", "sender")
    policies = with_list(entry)
    assert verdict(policies, ZIP).action is Action.STALL
    other = frozenset({"example", "evil.example"})
    assert verdict(policies, ZIP, authenticated_domains=other).action is Action.STALL
    passed = verdict(policies, ZIP, authenticated_domains=frozenset({"Outside.example"}))
    assert (passed.action, passed.trace.entry) == (Action.ACCEPT, "sender alice@outside.example")
    assert verdict(with_list(entry, **{"inbound.forged_senders": True}), ZIP).action is Action.ACCEPT
    assert verdict(policies, ZIP, sender="", authenticated_domains=frozenset({""})).action is Action.STALL


def test_an_outbound_sender_is_known_to_postfix() -> None:
    policies = with_list(AllowEntry(Direction.OUTBOUND, "bob@ours.example", "sender"))
    sent = {"direction": Direction.OUTBOUND, "sender": "bob@ours.example", "recipient": "x@far.example"}
    assert verdict(policies, ZIP, **sent).action is Action.ACCEPT
    assert verdict(policies, ZIP).action is Action.STALL, "an outbound entry says nothing of inbound mail"


def test_an_entry_expires() -> None:
    policies = with_list(AllowEntry(Direction.INBOUND, "ours.example", expires=NOW))
    assert verdict(policies, ZIP, now=NOW - 1).action is Action.ACCEPT
    assert verdict(policies, ZIP, now=NOW).action is Action.STALL


def test_group_over_domain_over_default_field_by_field() -> None:
    policies = PolicySet(
        (
            Scope("default", fields={"inbound.encrypted": "reject", "inbound.infected": "stall"}),
            Scope("domain", "ours.example", fields={"inbound.encrypted": "allow"}),
            Scope("group", "first", ("bob@ours.example",), {"inbound.unscannable": "reject"}),
            Scope("group", "second", ("bob@ours.example",), {"inbound.encrypted": "reject"}),
        )
    )
    assert verdict(policies, ZIP).action is Action.ACCEPT, "inherited from the domain"
    assert verdict(policies, ZIP).trace.scope_name == "ours.example"
    rejected = verdict(policies, MACRO)
    assert (rejected.action, rejected.trace.scope_name) == (Action.REJECT, "first")
    assert verdict(policies, VIRUS).action is Action.STALL, "inherited from the default"
    assert verdict(policies, ZIP, recipient="x@other.example").action is Action.REJECT


def test_the_local_party_decides() -> None:
    policies = PolicySet(
        (Scope("default"), Scope("domain", "ours.example", fields={"outbound.encrypted": "allow"}))
    )
    out = {"direction": Direction.OUTBOUND, "recipient": "x@far.example"}
    assert verdict(policies, ZIP, sender="bob@ours.example", **out).action is Action.ACCEPT
    assert verdict(policies, ZIP, sender="bob@other.example", **out).action is Action.STALL


def test_a_narrower_list_adds_to_the_wider_one_or_replaces_it() -> None:
    wide = Scope(
        "default",
        fields={"inbound.encrypted": "allow-list"},
        allow=(AllowEntry(Direction.INBOUND, "bob@ours.example"),),
    )
    adds = Scope("domain", "ours.example", allow=(AllowEntry(Direction.INBOUND, "eve@ours.example"),))
    replaces = Scope("domain", "ours.example", (), {"inbound.list_adds": False}, adds.allow)
    assert verdict(PolicySet((wide, adds)), ZIP).action is Action.ACCEPT
    assert verdict(PolicySet((wide, adds)), ZIP, recipient="eve@ours.example").action is Action.ACCEPT
    assert verdict(PolicySet((wide, replaces)), ZIP).action is Action.STALL


def test_without_a_scanner_the_message_waits_unless_it_is_refused_anyway() -> None:
    policies = PolicySet.default()
    assert verdict(policies, unavailable="down").action is Action.DEFER
    assert verdict(policies, ZIP, unavailable="down").action is Action.DEFER
    assert verdict(policies, VIRUS, unavailable="down").action is Action.REJECT
    assert verdict(policies, unavailable="down", on_unavailable=Action.ACCEPT).action is Action.ACCEPT
    assert verdict(policies, ZIP, unavailable="down", on_unavailable=Action.ACCEPT).action is Action.STALL


def test_the_snapshot_survives_json_and_refuses_nonsense() -> None:
    policies = PolicySet(
        (
            Scope(
                "default",
                fields={"inbound.lifetime": 3600.0},
                allow=(AllowEntry(Direction.INBOUND, ".a.example", "sender", NOW, "why", "me", 1.0),),
            ),
            Scope("group", "g", ("a@b.example", ".c.example")),
        ),
        {"ours.example": True, "theirs.example": False},
        "+",
    )
    again = PolicySet.from_json(json.loads(json.dumps(policies.to_json())))
    assert again == policies
    assert (again.is_ours("OURS.example"), again.is_ours("theirs.example"), again.is_ours("x")) == (
        True,
        False,
        None,
    )
    assert again.lifetime(Direction.INBOUND, "", "x@y.example") == 3600.0
    assert again.lifetime(Direction.OUTBOUND, "x@y.example", "") == 86400.0
    for fields in (
        {"inbound.encrypted": "maybe"},
        {"nothing": 1},
        {"inbound.lifetime": float("nan")},
        {"inbound.kinds": ["virus"]},
        {"inbound.notify_administrator": 1},
    ):
        with pytest.raises(InputError):
            PolicySet.from_json({"scopes": [{"scope": "default", "fields": fields}]})


def test_the_trace_says_why_and_survives_json() -> None:
    stalled = verdict(PolicySet.default(), ZIP).trace
    assert stalled.sentence() == (
        "Encrypted-zip was found, and the default policy says “Treat message as un-scannable” for inbound "
        "encrypted messages, and the default policy says “Stall” for inbound messages that cannot be scanned."
    )
    assert Trace.from_dict(json.loads(json.dumps(stalled.as_dict()))) == stalled
    listed = verdict(with_list(AllowEntry(Direction.INBOUND, ".ours.example")), ZIP).trace
    assert listed.sentence() == (
        "Encrypted-zip is allowed because the default policy lists .ours.example "
        "for inbound encrypted messages."
    )
    assert "whose list does not hold" in verdict(with_list(), ZIP).trace.sentence()


@pytest.mark.parametrize(
    ("mailer", "recipient", "sender", "trusted", "direction"),
    [
        ("relay", "b@ours.example", "a@far.example", False, Direction.INBOUND),
        ("relay", "b@ours.example", "a@ours.example", False, Direction.INBOUND),
        ("relay", "b@ours.example", "a@ours.example", True, Direction.INTERNAL),
        ("virtual", "b@new.example", "a@new.example", True, Direction.INTERNAL),
        ("smtp", "b@far.example", "a@ours.example", True, Direction.OUTBOUND),
        ("smtp", "b@ours.example", "a@far.example", False, Direction.INBOUND),
        ("relay", "b@theirs.example", "a@ours.example", True, Direction.OUTBOUND),
        ("slow", "b@far.example", "a@ours.example", True, Direction.OUTBOUND),
        ("slow", "b@new.example", "a@far.example", False, Direction.INBOUND),
        ("local", "root", "root", True, Direction.INTERNAL),
    ],
)
def test_direction(mailer: str, recipient: str, sender: str, trusted: bool, direction: Direction) -> None:
    policies = PolicySet((), {"ours.example": True, "theirs.example": False})
    found = direction_of(
        rcpt_mailer=mailer,
        recipient=recipient,
        sender=sender,
        authenticated=trusted,
        local_submission=False,
        policies=policies,
    )
    assert found is direction
