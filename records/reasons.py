"""Why did it fail? From a reply to whose side it is, what happened, and what to do next, in plain words.

Reply words are looked at first, then the enhanced status code, then the reply code: servers misuse codes more
often than words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from mailweir.records.reason_table import CODES, PHRASES, REPLIES, STAGES, Entry, Side
from mailweir.records.words import Outcome, Status

_REPLY = re.compile(r"(?:^|said: |refused to talk to me: |\] )([2345]\d\d)[ -]")
_ENHANCED = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_STAGE = re.compile(r"\(in reply to (end of DATA|[A-Z]+(?: FROM| TO)?)(?: command)?\)")
_LONGEST = 4096  # characters of a reply that are looked at
_GENERAL = {"0.0", "5.0", "3.0", "7.0", "2.0", "4.0", "1.0"}  # enhanced codes that say less than a reply code


_SAID: dict[int, str] = {
    Status.DELIVERED: "",
    Status.FILTERING: "The message is being scanned.",
    Status.STALLED: "It was put on hold, by hand or by a rule of Postfix, and waits for an administrator.",
    Status.REJECTED: "It was refused here, so the sending server has told its sender.",
    Status.DELETED: "An administrator removed it from the queue.",
    Status.UNKNOWN: "The log did not tell what became of it.",
}
_STALLED = "Its content was stopped by a policy, and it waits for an administrator."
_NOT_KNOWN = Entry(
    Side.UNKNOWN,
    "The reply is not one that Mailweir knows.",
    "Read the reply itself; ask the administrator of the server that gave it.",
)
_REMEMBERED = 2_000  # replies whose explanation is kept; most of a long list are the same few


@dataclass(frozen=True)
class Reason:
    """A reply explained; code, enhanced and stage are empty where the reply does not tell them."""

    side: Side
    what: str
    advice: str
    code: str = ""  # SMTP reply code
    enhanced: str = ""  # RFC 3463
    stage: str = ""  # in words

    @property
    def temporary(self) -> bool:
        """Whether it may go away by itself."""
        return (self.enhanced or self.code).startswith("4")

    def sentence(self) -> str:
        """All in one line."""
        return in_one_line(self.what, self.side.value, self.advice)


@lru_cache(_REMEMBERED)
def explain(dsn: str, reply: str) -> Reason:
    """What a reply means; `dsn` is the enhanced code that Postfix logged, `reply` the text.

    There is always an answer: an unknown reply is said to be one.
    """
    text = reply[:_LONGEST]
    code = _REPLY.search(text)
    enhanced = _ENHANCED.search(text) or _ENHANCED.fullmatch(dsn)
    stage = _STAGE.search(text)
    entry = _entry(text.partition(" said: ")[2] or text, code, enhanced)  # host names are not their words
    return Reason(
        side=entry.side,
        what=entry.what,
        advice=entry.advice,
        code=code[1] if code else "",
        enhanced=enhanced[0] if enhanced else "",
        stage=STAGES.get(stage[1], "")
        if stage
        else STAGES["connect"]
        if text.startswith("connect to")
        else "",
    )


@lru_cache(_REMEMBERED)
def _by_phrase(text: str) -> Entry | None:
    return next((entry for phrase, entry in PHRASES if phrase.search(text)), None)


def _entry(text: str, code: re.Match[str] | None, enhanced: re.Match[str] | None) -> Entry:
    if entry := _by_phrase(text):
        return entry
    detail = f"{int(enhanced[2])}.{int(enhanced[3])}" if enhanced else ""
    if detail in CODES and detail not in _GENERAL:
        return CODES[detail]
    if code and int(code[1]) in REPLIES:
        return REPLIES[int(code[1])]
    if detail in CODES:
        return CODES[detail]
    if enhanced and f"{int(enhanced[2])}.0" in CODES:  # a detail that no standard knows
        return CODES[f"{int(enhanced[2])}.0"]
    return _NOT_KNOWN


def in_one_line(what: str, side: str, advice: str) -> str:
    """What happened, on whose side and what to do, in whatever language they are."""
    return f"{what} ({side[:1].upper()}{side[1:]}.) {advice}"


@lru_cache(1)
def pieces() -> dict[str, tuple[str, str, str]]:
    """What each sentence that can be said of a reply consists of, for those who translate it."""
    entries = [*CODES.values(), *REPLIES.values(), *(entry for _, entry in PHRASES), _NOT_KNOWN]
    told = ((entry.what, entry.side.value, entry.advice) for entry in entries)
    return {in_one_line(*one): one for one in told}


def texts() -> list[str]:
    """Everything that can be said, piece by piece."""
    said = [text for one in pieces().values() for text in one]
    return [*said, *STAGES.values(), *filter(None, _SAID.values()), _STALLED]


def of_recipient(status: int, dsn: str, reply: str, verdict: str) -> str:
    """A recipient's last reply in plain words, by words.Status; empty when there is nothing to explain.

    verdict is the policies' word: what they stalled has not been tried yet, or somebody else holds it.
    """
    if status == Status.STALLED and verdict == "stall" and not (dsn or reply):
        return _STALLED
    if status in _SAID:
        return _SAID[status]
    if status in (Status.DEFERRED, Status.FAILED, Status.RETURNED) and (dsn or reply):
        return explain(dsn, reply).sentence()
    return ""


def of_delivery(outcome: int, dsn: str, reply: str) -> str:
    """An attempt's reply in plain words, by words.Outcome; empty when the mail was taken."""
    if outcome in (Outcome.SENT, Outcome.DELIVERABLE) or not (dsn or reply):
        return ""
    return explain(dsn, reply).sentence()
