"""What came of an act, in the user's language: the agent and the queue-helper note it in English.

They write it into the records, which everybody reads, so it is taken apart again here, sentence by sentence;
what is not known, such as what Postfix itself said, stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from mailweir.agent.plan import WORDS

TEXTS = (
    *WORDS.values(),
    "it has left the queue",
    "released",
    "it is on hold",
    "it is on hold already",
    "it is not on hold any more",
    "it stands in the queue %(queue)s",
    "Postfix said that it was done, but it stands in the queue %(queue)s",
    "Postfix said that it was done, but it is gone from the queue",
    "Postfix did nothing: the message stood in %(queue)s",
    "the message is on hold",
    "there is no such message in the queue any more",
    "the queue file cannot be read now",
    "the queue ID now belongs to a message that arrived at another time",
    "the queue ID now belongs to a message of another sender",
    "the queue ID now belongs to another message",
    "the message cannot be read",
    "the agent was interrupted",
    "give the password again",
    "ask again",
    "it was delivered or returned for this recipient meanwhile",
    "it left the queue meanwhile",
    "it is being delivered right now",
    "see what comes of it and try again",
    "the password does not open all that is encrypted",
    "not released: %(why)s",
    "the records do not know for whom it is yet",
    "scanned again, still stalled: %(why)s",
    "scanned again, passes now",
    "scanned again, passes now for %(recipients)s, but for others: %(why)s",
    "message is infected (%(kinds)s)",
    "message is encrypted (%(kinds)s)",
    "message cannot be scanned (%(kinds)s)",
    "the agent of %(node)s does not run: start it, then try again",
    "the queue-helper at %(path)s does not answer: %(why)s",
)
_VALUE = re.compile(r"%\((\w+)\)s")


def in_words(result: str, translate: Callable[[str], str]) -> str:
    """The same in the language of `translate`."""
    return "; ".join(_piece(piece, translate) for piece in result.split("; "))


def _piece(piece: str, translate: Callable[[str], str]) -> str:
    if piece in TEXTS:
        return translate(piece)
    for text, pattern in _patterns():
        if match := pattern.fullmatch(piece):
            values = {name: _piece(value, translate) for name, value in match.groupdict().items()}
            return translate(text) % values
    return piece


@cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    """The texts with values in them; one that says more comes before one that it begins with."""
    texts = sorted((text for text in TEXTS if "%(" in text), key=len, reverse=True)
    return [(text, re.compile(_VALUE.sub(r"(?P<\1>.+?)", _escaped(text)), re.S)) for text in texts]


def _escaped(text: str) -> str:
    """Everything but the values taken literally."""
    pieces = re.split(r"(%\(\w+\)s)", text)
    return "".join(piece if piece.startswith("%(") else re.escape(piece) for piece in pieces)
