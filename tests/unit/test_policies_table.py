"""The decision table of docs/policies.md: made by the code, checked against rules written another way.

When the table in the docs is old: python -m tests.unit.test_policies_table
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mailweir.content.findings import Finding
from mailweir.policies.fields import LABELS, Encrypted, Infected, Unscannable
from mailweir.policies.scopes import AllowEntry, PolicySet, Scope
from mailweir.policies.verdict import Action, decide
from mailweir.records.words import Direction

DOCS = Path(__file__).parents[2] / "docs" / "policies.md"
BEGIN, END = "<!-- decision table: begin -->\n", "<!-- decision table: end -->\n"
NOW = 1_800_000_000.0
DIRECTIONS = (Direction.INBOUND, Direction.OUTBOUND, Direction.INTERNAL)
OURS, THEIRS = "bob@ours.example", "alice@far.example"

CONTENT: dict[str, tuple[str, ...]] = {
    "nothing": (),
    "encrypted": ("encrypted-zip",),
    "un-scannable, counted": ("macro",),
    "un-scannable, not counted": ("active-pdf",),
    "infected": ("virus",),
    "encrypted and un-scannable": ("encrypted-zip", "macro"),
    "encrypted and infected": ("encrypted-zip", "virus"),
}
MATCHES = (
    "none",
    "recipient entry",
    "expired recipient entry",
    "sender entry, proven",
    "sender entry, not proven",
)


@dataclass(frozen=True)
class Case:
    """One line of the table; "" where a setting makes no difference."""

    content: str
    encrypted: Encrypted | None = None
    unscannable: Unscannable | None = None
    infected: Infected | None = None
    match: str = ""


def cases() -> Iterator[Case]:
    """Every combination in which something differs."""
    yield Case("nothing")
    yield from _encrypted("encrypted")
    for treatment in Unscannable:
        yield Case("un-scannable, counted", unscannable=treatment)
    yield Case("un-scannable, not counted")
    for infected in Infected:
        yield Case("infected", infected=infected)
    yield from _encrypted("encrypted and un-scannable")
    for case, infected in itertools.product(_encrypted("encrypted and infected"), Infected):
        yield Case(case.content, case.encrypted, case.unscannable, infected, case.match)


def _encrypted(content: str) -> Iterator[Case]:
    for encrypted in Encrypted:
        matches = MATCHES if encrypted is Encrypted.ALLOW_LIST else ("",)
        for match, unscannable in itertools.product(matches, Unscannable):
            yield Case(content, encrypted, unscannable, match=match)


def by_code(case: Case, direction: Direction) -> Action:
    """What policies/verdict.py decides."""
    sender, recipient = (OURS, THEIRS) if direction is Direction.OUTBOUND else (THEIRS, OURS)
    side = "outbound" if direction is Direction.OUTBOUND else "inbound"
    entries: list[AllowEntry] = []
    listed = Direction.OUTBOUND if direction is Direction.OUTBOUND else Direction.INBOUND
    if "recipient entry" in case.match:
        entries = [AllowEntry(listed, recipient, expires=NOW - 1 if "expired" in case.match else None)]
    elif "sender" in case.match:
        entries = [AllowEntry(listed, sender, "sender")]
    fields = {
        f"{side}.{name}": value
        for name, value in (
            ("encrypted", case.encrypted),
            ("unscannable", case.unscannable),
            ("infected", case.infected),
        )
        if value is not None
    }
    proven = frozenset({sender.partition("@")[2]}) if case.match == "sender entry, proven" else frozenset()
    return decide(
        PolicySet((Scope("default", fields=fields, allow=tuple(entries)),)),
        direction=direction,
        sender=sender,
        recipient=recipient,
        findings=[Finding(kind, "2") for kind in CONTENT[case.content]],
        authenticated_domains=proven,
        now=NOW,
    ).action


def by_rule(case: Case, direction: Direction) -> str:
    """The rules in the other order: which of the gravest verdicts does anything in the message ask for?"""
    asks: set[str] = set()
    if "infected" in case.content:
        asks.add(case.infected or "reject")
    unscannable = {Unscannable.ALLOW: "accept"}.get(case.unscannable, case.unscannable or "stall")  # type: ignore[arg-type]
    if "un-scannable" in case.content and "not counted" not in case.content:
        asks.add(unscannable)
    if case.content.startswith("encrypted"):
        # Postfix accepts outbound mail only from those it trusts, so a sender there needs no proof.
        matched = case.match in ("recipient entry", "sender entry, proven") or (
            case.match == "sender entry, not proven" and direction is Direction.OUTBOUND
        )
        if case.encrypted is Encrypted.REJECT:
            asks.add("reject")
        elif not (case.encrypted is Encrypted.ALLOW or matched):
            asks.add(unscannable)
    return next((word for word in ("reject", "discard", "stall") if word in asks), "accept")


@pytest.mark.parametrize("case", list(cases()), ids=str)
@pytest.mark.parametrize("direction", DIRECTIONS, ids=lambda direction: direction.word)
def test_every_combination(case: Case, direction: Direction) -> None:
    assert by_code(case, direction).value == by_rule(case, direction)


def table() -> str:
    """The table as Markdown."""
    heads = [
        "content",
        "encrypted: treatment",
        "list match",
        "un-scannable: treatment",
        "infected: treatment",
    ]
    heads += [direction.word for direction in DIRECTIONS]
    lines = ["| " + " | ".join(heads) + " |", "| " + " | ".join("---" for _ in heads) + " |"]
    for case in cases():
        cells = [
            case.content,
            LABELS["encrypted"][case.encrypted] if case.encrypted else "",
            case.match,
            LABELS["unscannable"][case.unscannable] if case.unscannable else "",
            LABELS["infected"][case.infected] if case.infected else "",
        ]
        cells += [by_code(case, direction).value for direction in DIRECTIONS]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def test_the_table_in_the_docs_is_what_the_code_does() -> None:
    text = DOCS.read_text("utf-8")
    assert text.partition(BEGIN)[2].partition(END)[0] == table(), "python -m tests.unit.test_policies_table"


if __name__ == "__main__":
    before, _, rest = DOCS.read_text("utf-8").partition(BEGIN)
    DOCS.write_text(before + BEGIN + table() + END + rest.partition(END)[2], "utf-8")
