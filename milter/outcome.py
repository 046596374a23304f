"""What becomes of a whole message, whose recipients may each have got a verdict of their own.

Pure: the rules are in docs/decisions/0006-one-message-several-verdicts.md.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass

from mailweir.content.findings import Class, Finding
from mailweir.milter.message import Recipient
from mailweir.policies.verdict import Action, Verdict
from mailweir.records.words import Direction

REPLY_LENGTH = 200  # characters of text in an SMTP reply


@dataclass(frozen=True, slots=True)
class Judged:
    """One recipient with what the policies say, and what is done, which can differ in a mixed one."""

    recipient: Recipient
    direction: Direction
    verdict: Verdict
    action: Action
    split: bool = False  # stalled apart, by a copy in the holding service


@dataclass(frozen=True, slots=True)
class Reply:
    """An SMTP reply; the text is made fit for one: printable ASCII, of bounded length."""

    code: int
    status: str  # enhanced status code, RFC 3463
    text: str

    def __str__(self) -> str:
        return f"{self.code} {self.status} {self.text}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The action is the whole message's; recipients whose own differs from it are taken off."""

    action: Action
    judged: tuple[Judged, ...]
    reply: Reply | None = None

    @property
    def split(self) -> tuple[Judged, ...]:
        """Those who get their own copy in the hold queue."""
        return tuple(one for one in self.judged if one.split)

    @property
    def removed(self) -> tuple[Recipient, ...]:
        """Those who must not stay on the message that Postfix keeps."""
        if self.action not in (Action.ACCEPT, Action.STALL):
            return ()
        return tuple(one.recipient for one in self.judged if one.action is not self.action)

    @property
    def reason(self) -> str:
        """Why it is not simply accepted, by the first recipient for whom it is not; never empty then."""
        return next((one.verdict.reason for one in self.judged if one.verdict.reason), self.action.value)


def settle(judged: Sequence[Judged], findings: Sequence[Finding]) -> Outcome:
    """Combine the recipients' verdicts (each Judged's action is still its verdict's)."""
    actions = {one.action for one in judged}
    if actions == {Action.ACCEPT}:
        return Outcome(Action.ACCEPT, tuple(judged))
    if Action.REJECT in actions and (actions == {Action.REJECT} or _infected(findings)):
        return refused(judged, Reply(550, "5.7.1", _refusal(judged, findings)))
    if Action.DEFER in actions:
        return deferred(judged, "4.7.1", "message could not be scanned, please try again later")
    # Nobody can be told of a refusal for some recipients after DATA, so those wait for an administrator.
    settled = [_with(one, Action.STALL if one.action is Action.REJECT else one.action) for one in judged]
    actions = {one.action for one in settled}
    if Action.ACCEPT not in actions:
        whole = Action.STALL if Action.STALL in actions else Action.DISCARD
        return Outcome(whole, tuple(settled))
    return Outcome(
        Action.ACCEPT,
        tuple(dataclasses.replace(one, split=one.action is Action.STALL) for one in settled),
    )


def refused(judged: Sequence[Judged], reply: Reply) -> Outcome:
    """The whole message is refused for good."""
    return Outcome(Action.REJECT, tuple(_with(one, Action.REJECT) for one in judged), reply)


def deferred(judged: Sequence[Judged], status: str, text: str) -> Outcome:
    """The client is to come again, for all recipients; nothing has been taken."""
    return Outcome(
        Action.DEFER, tuple(_with(one, Action.DEFER) for one in judged), Reply(451, status, reply_text(text))
    )


def stalled_whole(outcome: Outcome) -> Outcome:
    """The same, but everybody waits: for a recipient who cannot be taken off (see split.can_be_named)."""
    return Outcome(Action.STALL, tuple(_with(one, Action.STALL) for one in outcome.judged))


def reply_text(text: str) -> str:
    """Printable ASCII of bounded length."""
    return re.sub(r"[^ -~]+", "?", text)[:REPLY_LENGTH]


def _with(one: Judged, action: Action) -> Judged:
    return dataclasses.replace(one, action=action, split=False)


def _infected(findings: Sequence[Finding]) -> bool:
    return any(finding.cls is Class.INFECTED for finding in findings)


def _refusal(judged: Sequence[Judged], findings: Sequence[Finding]) -> str:
    names = sorted({finding.detail for finding in findings if finding.cls is Class.INFECTED} - {""})
    reason = next(one.verdict.reason for one in judged if one.action is Action.REJECT)
    return reply_text(f"{reason}: {', '.join(names)}" if names else reason)
