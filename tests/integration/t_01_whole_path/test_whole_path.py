"""Each kind of mail through the real product, from SMTP to the records, the receiving server and back.

The samples and what must become of them are the trial's own; here the records behind them are looked at too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from mailweir.records import ids
from tests.harness.stack import query, running_stack
from trial.policies import allow_encrypted_mail_to
from trial.samples import ALLOWED, OUR_USER, OUTSIDE, SAMPLES
from trial.stack import Stack
from trial.waiting import wait_for
from trial.watch import Sent, explain, follow, send


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running_stack() as running:
        allow_encrypted_mail_to(ALLOWED, running.config_file)
        snapshot = running.state / "mailweir" / "policies.json"
        wait_for(lambda: snapshot.exists() and ALLOWED in snapshot.read_text(), "the policies")
        yield running


@pytest.fixture(scope="module")
def sent(stack: Stack) -> dict[str, Sent]:
    """All samples, sent, acted upon and settled, by subject."""
    samples = [send(stack, sample) for sample in SAMPLES]
    follow(stack, samples, print)
    return {one.sample.subject: one for one in samples}


@pytest.mark.parametrize("subject", [sample.subject for sample in SAMPLES])
def test_each_sample_ends_where_it_should(subject: str, sent: dict[str, Sent]) -> None:
    assert sent[subject].as_expected, explain(sent[subject])


def listing(stack: Stack, *arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stack.mailweir(*arguments, "--json").splitlines()]


def test_the_record_tells_who_what_and_why(stack: Stack, sent: dict[str, Sent]) -> None:
    (row,) = listing(stack, "mail-in", "--id", sent["Zip with a password"].mail_in_id)
    assert (row["sender"], row["recipient"], row["direction"]) == (OUTSIDE, OUR_USER, "inbound")
    assert (row["status"], row["verdict"], row["client_ip"]) == ("stalled", "stall", "127.0.0.1")
    (shown,) = listing(stack, "show", row["mail_in_id"])
    assert [(item["kind"], item["name"]) for item in shown["findings"]] == [("encrypted-zip", "figures.zip")]
    (row,) = listing(stack, "mail-in", "--id", sent["Clean, outbound"].mail_in_id)
    assert row["direction"] == "outbound"
    (shown,) = listing(stack, "show", sent["A virus (EICAR)"].mail_in_id)
    assert [item["kind"] for item in shown["findings"]] == ["virus"]
    assert "Eicar" in shown["findings"][0]["detail"]


def test_attempts_and_conversations_are_recorded(stack: Stack, sent: dict[str, Sent]) -> None:
    three = sent["Three recipients, three fates"].mail_in_id
    attempts = {row["recipient"]: row for row in listing(stack, "delivery", "--id", three, "--all")}
    bounce = attempts.pop(OUTSIDE)
    assert (bounce["status"], bounce["sender"]) == ("sent", ""), "the sender is told of the refusal"
    assert {address: row["status"] for address, row in attempts.items()} == {
        OUR_USER: "sent",
        "unknown@example.org": "bounced",
        "busy@example.org": "deferred",
    }
    refused = attempts["unknown@example.org"]
    assert refused["dsn"] == "5.1.1"
    assert refused["reply"].startswith("host 127.0.0.1[127.0.0.1]") or "550 5.1.1" in refused["reply"]
    assert (refused["relay_ip"], refused["relay_port"]) == ("127.0.0.1", stack.ports.local)
    (conversation,) = query(
        stack, "SELECT lines FROM session WHERE id = ?", ids.from_text(refused["session_id"])
    )
    assert "> RCPT TO:<unknown@example.org>" in conversation[0]
    assert "< 550 5.1.1 <unknown@example.org>" in conversation[0]


def test_pending_and_quarantine_list_what_waits(stack: Stack, sent: dict[str, Sent]) -> None:
    stalled = {one.mail_in_id for one in sent.values() if "stalled" in one.sample.expected.values()}
    assert {row["mail_in_id"] for row in listing(stack, "quarantine", "--all")} == stalled
    pending = {(row["mail_in_id"], row["recipient"]) for row in listing(stack, "pending", "--all")}
    assert pending == {(identifier, OUR_USER) for identifier in stalled} | {
        (sent["Three recipients, three fates"].mail_in_id, "busy@example.org")
    }


def test_the_message_carries_its_mail_in_id(stack: Stack, sent: dict[str, Sent]) -> None:
    clean = sent["Clean, inbound"]
    (content,) = [one.content for one in stack.received() if clean.message_id.encode() in one.content]
    assert content.count(f"X-Mailweir-ID: {clean.mail_in_id}".encode()) == 1


def test_what_waits_for_whom_stays_in_the_queue(stack: Stack, sent: dict[str, Sent]) -> None:
    held = [item for item in stack.postfix.queue() if item["queue_name"] == "hold"]
    assert len(held) == sum("stalled" in one.sample.expected.values() for one in sent.values())


def test_one_message_stalled_for_some_and_delivered_to_others(stack: Stack) -> None:
    """The allow list lets it pass for one recipient: the other's copy waits in a queue file of its own."""
    sample = next(one for one in SAMPLES if one.file == "figures.zip")
    both = replace(sample, subject="Split", expected={ALLOWED: "delivered", OUR_USER: "stalled"})
    one = send(stack, both)
    follow(stack, [one], print)
    assert one.as_expected, explain(one)
    output = stack.mailweir("force", one.mail_in_id, "--recipient", OUR_USER, "--reason", "asked for")
    assert output
    forced = Sent(
        replace(both, expected={ALLOWED: "delivered", OUR_USER: "delivered"}), one.message_id, "250"
    )
    follow(stack, [forced], print)
    assert forced.as_expected, explain(forced)
