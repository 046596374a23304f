"""One message, several verdicts: what becomes of the whole."""

from __future__ import annotations

import pytest

from mailweir.content.findings import Finding
from mailweir.milter import outcome
from mailweir.milter.message import Recipient
from mailweir.milter.outcome import Judged, Outcome
from mailweir.policies.trace import Trace
from mailweir.policies.verdict import Action, Verdict
from mailweir.records.words import Direction

ZIP = Finding("encrypted-zip", "2/a.zip")
VIRUS = Finding("virus", "2/a.exe", detail="Eicar\r\n%s")


def settle(*verdicts: str, findings: tuple[Finding, ...] = (ZIP,)) -> Outcome:
    judged = [
        Judged(
            Recipient(f"<{number}@example.org>", f"{number}@example.org", "relay"),
            Direction.INBOUND,
            Verdict(Action(verdict), Trace("default"), f"reason of {number}" * (verdict != "accept")),
            Action(verdict),
        )
        for number, verdict in enumerate(verdicts)
    ]
    return outcome.settle(judged, findings)


@pytest.mark.parametrize(
    ("verdicts", "whole", "each", "split", "removed"),
    [
        ("accept accept", "accept", "accept accept", "", ""),
        ("stall stall", "stall", "stall stall", "", ""),
        ("accept stall", "accept", "accept stall", "1", "1"),
        ("reject reject", "reject", "reject reject", "", ""),
        ("accept reject", "accept", "accept stall", "1", "1"),
        ("stall reject", "stall", "stall stall", "", ""),
        ("discard discard", "discard", "discard discard", "", ""),
        ("accept discard", "accept", "accept discard", "", "1"),
        ("stall discard", "stall", "stall discard", "", "1"),
        ("reject discard", "stall", "stall discard", "", "1"),
        ("accept stall discard", "accept", "accept stall discard", "1", "12"),
        ("accept defer", "defer", "defer defer", "", ""),
        ("reject defer", "defer", "defer defer", "", ""),
        ("stall defer discard", "defer", "defer defer defer", "", ""),
    ],
)
def test_settling(verdicts: str, whole: str, each: str, split: str, removed: str) -> None:
    settled = settle(*verdicts.split())
    assert settled.action == whole
    assert [one.action for one in settled.judged] == each.split()
    assert "".join(one.recipient.address[0] for one in settled.split) == split
    assert "".join(one.address[0] for one in settled.removed) == removed
    assert bool(settled.reply) == (whole in ("reject", "defer"))


@pytest.mark.parametrize("others", ["accept", "stall", "discard", "defer"])
def test_an_infected_message_that_anyone_refuses_is_refused_for_all(others: str) -> None:
    settled = settle(others, "reject", findings=(VIRUS,))
    assert settled.action is Action.REJECT
    assert str(settled.reply) == "550 5.7.1 reason of 1: Eicar?%s"
    assert {one.action for one in settled.judged} == {Action.REJECT}


def test_nobody_is_taken_off_a_message_that_is_stalled_whole() -> None:
    settled = outcome.stalled_whole(settle("accept", "stall", "discard"))
    assert (settled.action, settled.removed, settled.split) == (Action.STALL, (), ())
    assert settled.reason == "reason of 1"  # libmilter refuses an empty one


def test_reply_texts_fit_into_a_reply() -> None:
    assert outcome.reply_text("a\r\n\x00\x1b[31mü" + "x" * 500) == "a?[31m?" + "x" * 193
