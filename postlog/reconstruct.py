"""A conversation with a receiving server, put together from what Postfix says of one attempt.

Where no transcript was recorded, the line about the attempt still tells how far the conversation came: it
names the command that was answered, or what was going on when the connection was lost.
"""

from __future__ import annotations

import re

ACCEPTED = "(accepted)"
NO_CONNECTION = "(no connection)"
LOST = "(the connection was lost)"
TIMED_OUT = "(no answer in time)"
WHOLE_MESSAGE = "(the message)"
NOT_TOLD = "(the log does not tell more)"
NOTES = (ACCEPTED, NO_CONNECTION, LOST, TIMED_OUT, WHOLE_MESSAGE, NOT_TOLD)
"""What is neither side's words; pages translate it."""

_SAID = re.compile(r"host \S+ said: (.*) \(in reply to (.+?)(?: command)?\)\Z", re.DOTALL)
_REFUSED = re.compile(r"host \S+ refused to talk to me: (.*)\Z", re.DOTALL)
_LOST = re.compile(r"(lost connection with|conversation with) \S+(?: timed out)? while (.*)\Z", re.DOTALL)
_NO_CONNECTION = re.compile(r"connect to \S+: (.*)\Z", re.DOTALL)
_HANDSHAKE = re.compile(r"performing the (\w+) handshake")
_STEPS = ("MAIL FROM", "RCPT TO", "DATA", "end of DATA")
_WHILE = (
    ("sending MAIL FROM", "MAIL FROM"),
    ("sending RCPT TO", "RCPT TO"),
    ("sending DATA command", "DATA"),
    ("sending message body", "end of DATA"),
    ("sending end of data", "end of DATA"),
)  # what Postfix says it was doing, and the step's name


def can_tell(service: str) -> bool:
    """Whether the service speaks SMTP or LMTP, so that there was, or should have been, a conversation."""
    return service.endswith(("smtp", "lmtp"))


def conversation(sender: str, recipient: str, sent: bool, reply: str) -> tuple[str, ...]:
    """The lines: "> " is what our side said, "< " what the other answered; notes are in parentheses.

    recipient: as the server was told it; reply: what Postfix gives as the reason.
    """
    if sent:
        return (*_until("end of DATA", sender, recipient), WHOLE_MESSAGE, f"< {reply}")
    if found := _SAID.match(reply):
        body = (WHOLE_MESSAGE,) if found[2] == "end of DATA" else ()
        commands = _until(found[2], sender, recipient) if found[2] in _STEPS else (f"> {found[2]}",)
        return (*commands, *body, f"< {found[1]}")
    if found := _REFUSED.match(reply):
        return (f"< {found[1]}",)
    if found := _LOST.match(reply):
        return (*_lost_at(found[2], sender, recipient), TIMED_OUT if found[1][:4] == "conv" else LOST)
    if found := _NO_CONNECTION.match(reply):
        return (NO_CONNECTION, f"({found[1]})")
    return (f"({reply})",) if reply else (NOT_TOLD,)


def _lost_at(doing: str, sender: str, recipient: str) -> tuple[str, ...]:
    """The commands until the connection was lost."""
    if found := _HANDSHAKE.match(doing):
        return (f"> {found[1]}",)
    step = next((step for words, step in _WHILE if doing.startswith(words)), None)
    return _until(step, sender, recipient) if step else ()


def _until(step: str, sender: str, recipient: str) -> tuple[str, ...]:
    """The commands up to that step: all but the last were accepted, or it would not have been reached."""
    commands = (f"> MAIL FROM:<{sender}>", f"> RCPT TO:<{recipient}>", "> DATA")
    place = _STEPS.index(step)
    accepted = [line for command in commands[:place] for line in (command, ACCEPTED)]
    return (*accepted, *commands[place : place + 1])
