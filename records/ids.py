"""Mail In IDs and the other time-ordered 64-bit identifiers.

An ID is made where the record is made, without asking a database: milliseconds, node, slot and a sequence
number make it unique over nodes and workers, and sorting by ID is sorting by time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from mailweir.errors import InputError

NODE_BITS, SLOT_BITS, SEQUENCE_BITS = 8, 6, 6
LOW_BITS = NODE_BITS + SLOT_BITS + SEQUENCE_BITS  # 20; with 42 bits of milliseconds an ID stays below 2**62
MAX_NODE = (1 << NODE_BITS) - 1
AGENT_SLOT = (1 << SLOT_BITS) - 1  # the agent's own slot
IMPORT_SLOT = AGENT_SLOT - 1  # of imports of past logs, which run beside it; workers have the slots below

# No vowels and no look-alikes, and letters first, so that no ID reads as a word or a number.
ALPHABET = "23456789BCDFGHJKLMNPQRSTVWXZbcdfghjkmnpqrstvwxz"
_PAIRS = tuple(first + second for first in ALPHABET for second in ALPHABET)


def first_id(milliseconds: int) -> int:
    """The lowest ID of that millisecond since 1970, for date ranges."""
    return milliseconds << LOW_BITS


def milliseconds_of(identifier: int) -> int:
    """Milliseconds since 1970 at which the ID was made."""
    return identifier >> LOW_BITS


@lru_cache(1_000)  # a list has the same few again and again
def to_text(identifier: int) -> str:
    """The ID as people see it: 11 or 12 letters and digits that one double-click selects."""
    high, low = divmod(identifier, len(_PAIRS) ** 3)
    first, rest = divmod(low, len(_PAIRS) ** 2)
    text = f"{_digits(high)}{_PAIRS[first]}{_PAIRS[rest // len(_PAIRS)]}{_PAIRS[rest % len(_PAIRS)]}"
    return text if high else text.lstrip(ALPHABET[0]) or ALPHABET[0]


@lru_cache(1_000)
def _digits(number: int) -> str:
    """All digits but the last six, which IDs of the same ten seconds have in common."""
    text = ""
    while number:
        number, digit = divmod(number, len(ALPHABET))
        text = ALPHABET[digit] + text
    return text


def from_text(text: str) -> int:
    """The inverse of to_text. Raises InputError for anything that is not an ID."""
    identifier = 0
    try:
        for character in text:
            identifier = identifier * len(ALPHABET) + ALPHABET.index(character)
    except ValueError:
        identifier = -1
    if not text or not 0 <= identifier < 1 << 63:
        raise InputError("%(text)s is not a Mail In ID", text=repr(text[:40]))
    return identifier


class IdSource:
    """Makes IDs for one slot of one node, each larger than the one before."""

    def __init__(self, node: int, slot: int, last: int = 0) -> None:
        self._tail = ((node << SLOT_BITS) | slot) << SEQUENCE_BITS
        self._last_ms = milliseconds_of(last)
        self._sequence = last & ((1 << SEQUENCE_BITS) - 1)

    @property
    def last(self) -> int:
        """The ID made last (or the one it was told of), to go on from after a restart."""
        return (self._last_ms << LOW_BITS) | self._tail | self._sequence

    def next(self, milliseconds: int) -> int:
        """An ID for that time; when the clock stands or steps back, the time of the last ID goes on."""
        if milliseconds > self._last_ms:
            self._last_ms, self._sequence = milliseconds, 0
        else:
            self._sequence += 1
            if self._sequence >> SEQUENCE_BITS:
                self._last_ms, self._sequence = self._last_ms + 1, 0
        return (self._last_ms << LOW_BITS) | self._tail | self._sequence

    def from_clock(self, clock: Callable[[], float]) -> int:
        """An ID for now, by a clock that gives seconds since 1970."""
        return self.next(int(clock() * 1000))
