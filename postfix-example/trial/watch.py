"""Sending the samples and seeing what becomes of them, as told by Mailweir and by the receiving servers.

Both must agree: a recipient that is called delivered got the message, and nobody else did.
"""

from __future__ import annotations

import json
import smtplib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email import message_from_bytes
from typing import Any

from trial.ports import LOOPBACK
from trial.samples import Sample
from trial.stack import Stack
from trial.waiting import WaitedTooLong, wait_for

Records = Mapping[tuple[str, str], dict[str, Any]]  # by Message-ID and recipient


@dataclass
class Sent:
    """A sample on its way: Message-ID, what the server answered, and what is known of it."""

    sample: Sample
    message_id: str
    reply: str
    states: dict[str, str] = field(default_factory=dict)
    mail_in_id: str = ""
    received_by: set[str] = field(default_factory=set)

    @property
    def as_expected(self) -> bool:
        """Whether everything about it is as it should be."""
        delivered = {address for address, state in self.sample.expected.items() if state == "delivered"}
        return (
            self.reply.startswith(self.sample.reply)
            and self.states == dict(self.sample.expected)
            and self.received_by == delivered
        )

    def note(self, records: Records) -> None:
        """Take over what Mailweir knows now."""
        mine = {
            address: item for (message_id, address), item in records.items() if message_id == self.message_id
        }
        self.states = {address: str(item["status"]) for address, item in mine.items()}
        self.mail_in_id = next((str(item["mail_in_id"]) for item in mine.values()), "")


def send(stack: Stack, sample: Sample) -> Sent:
    """Hand a sample in; a refusal is an answer like another."""
    message = sample.message()
    message_id = _message_id(message)
    if sample.by_sendmail:
        stack.postfix.sendmail(message, sample.sender, *sample.expected)
        return Sent(sample, message_id, "250 handed to sendmail")
    with smtplib.SMTP(LOOPBACK, stack.ports.smtp, timeout=120) as smtp:
        smtp.ehlo("client.example.com")
        try:
            smtp.sendmail(sample.sender, list(sample.expected), message)
        except smtplib.SMTPDataError as error:
            answer = error.smtp_error
            text = answer.decode(errors="replace") if isinstance(answer, bytes) else answer
            return Sent(sample, message_id, f"{error.smtp_code} {text}")
    return Sent(sample, message_id, "250 accepted")


def follow(
    stack: Stack, sent: Sequence[Sent], say: Callable[[str], None], *, deadline: float = 120.0
) -> None:
    """Wait until the samples are where they should be; act on those that are to be acted upon.

    Returns when all is as expected or the deadline (seconds) has passed; `sent` then tells.
    """
    _settle(stack, sent, lambda one: one.states == dict(one.sample.before_act), deadline)
    for one in sent:
        if one.sample.act and one.mail_in_id:
            say(f"{one.sample.act} {one.mail_in_id} ({one.sample.subject})")
            stack.mailweir(one.sample.act, one.mail_in_id, *_reason(one.sample.act))
    _settle(stack, sent, lambda one: one.as_expected, deadline)


def explain(one: Sent) -> str:
    """What is wrong with a sample."""
    return (
        f"expected {dict(one.sample.expected)}, Mailweir says {one.states}; the server answered "
        f"{one.reply!r} (expected {one.sample.reply}); received by {sorted(one.received_by) or 'nobody'}"
    )


def _reason(act: str) -> list[str]:
    return ["--reason", "the trial shows how"] if act == "force" else []


def _settle(stack: Stack, sent: Sequence[Sent], settled: Callable[[Sent], bool], deadline: float) -> None:
    def all_settled() -> bool:
        records = records_of(stack)
        arrived = recipients_of(stack)
        for one in sent:
            one.note(records)
            one.received_by = arrived.get(one.message_id, set())
        return all(settled(one) for one in sent)

    try:
        wait_for(all_settled, "the samples", deadline=deadline)
    except WaitedTooLong:
        return  # the caller compares and reports


def records_of(stack: Stack) -> Records:
    """What `mailweir mail-in` tells of each recipient."""
    lines = stack.mailweir("mail-in", "--json", "--all").splitlines()
    items = [json.loads(line) for line in lines]
    return {(item["message_id"].strip("<>"), item["recipient"]): item for item in items}


def recipients_of(stack: Stack) -> dict[str, set[str]]:
    """Message-ID → addresses for which the receiving servers accepted it."""
    arrived: dict[str, set[str]] = {}
    for one in stack.received():
        arrived.setdefault(_message_id(one.content), set()).update(one.recipients)
    return arrived


def _message_id(message: bytes) -> str:
    return str(message_from_bytes(message)["Message-ID"]).strip("<> ")
