"""Postfix queue IDs: telling long from short ones and reading the time that is in them.

A long ID (`enable_long_queue_ids = yes`) carries its file's creation time and is never used twice; a short
one carries only the microseconds within some second, then the inode, and is reused.
"""

from __future__ import annotations

from collections.abc import Iterable

DIGITS = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"  # Postfix's safe_ultostr(), base 52
SEPARATOR = "z"  # before the inode, which is written in base 51 and so never holds one itself
SECONDS_WIDTH, MICROS_WIDTH = 6, 4  # in characters, MQID_LG_* in Postfix's mail_queue.h
SHORTEST_LONG = SECONDS_WIDTH + MICROS_WIDTH + len(SEPARATOR) + 1
LONGEST = 40  # characters; far more than a 64-bit inode takes
SHORT_MICROS_WIDTH = 5  # hexadecimal

_VALUE = {character: value for value, character in enumerate(DIGITS)}
_DIGITS = frozenset(DIGITS)
_HEX = frozenset("0123456789ABCDEF")
SECOND = 1_000_000  # microseconds
_LATEST = 1 << 40  # seconds; what is later is no time
_MOST_SECONDS = 1_000
# Two digits at a time, as a log has an ID on every line.
_PAIRS = {
    first + second: _VALUE[first] * len(DIGITS) + _VALUE[second] for first in DIGITS for second in DIGITS
}
_PAIR = len(DIGITS) ** 2


class _Seconds(dict[str, int]):
    """The seconds part of IDs, remembered, as those of one second come together."""

    def __missing__(self, text: str) -> int:
        number = 0
        for character in text:
            number = number * len(DIGITS) + _VALUE[character]
        if len(self) >= _MOST_SECONDS:
            self.clear()
        self[text] = number
        return number


_SECONDS = _Seconds()


def arrival_us(queue_id: str) -> int | None:
    """Microseconds since 1970 at which the queue file was made; None for a short or malformed ID."""
    at = queue_id.rfind(SEPARATOR, 0, LONGEST)
    if at < SECONDS_WIDTH + MICROS_WIDTH or not at < len(queue_id) - 1 < LONGEST:
        return None
    try:
        micros = (
            _PAIRS[queue_id[at - 4 : at - 2]] * _PAIR + _PAIRS[queue_id[at - 2 : at]]
        )  # MICROS_WIDTH is 4
        seconds = _SECONDS[queue_id[: at - 4]]
    except KeyError:
        return None
    if micros >= SECOND or seconds >= _LATEST or not _DIGITS.issuperset(queue_id[at + 1 :]):
        return None
    return seconds * SECOND + micros


def short_micros(queue_id: str) -> int | None:
    """The microseconds within its second at which a short ID's file was made; None when it is not one."""
    if not SHORT_MICROS_WIDTH < len(queue_id) <= LONGEST or not _HEX.issuperset(queue_id):
        return None
    micros = int(queue_id[:SHORT_MICROS_WIDTH], 16)
    return micros if micros < SECOND else None


def is_queue_id(text: str) -> bool:
    """Whether the text can be a queue ID of either kind."""
    return arrival_us(text) is not None or short_micros(text) is not None


def file_begun(told: Iterable[int], arrival: int, begun: int) -> int | None:
    """Which moment told for a short ID's files is of the one that a line begins; None when it is new.

    All in microseconds since 1970. A file's moment is its arrival, as the log and the queue's listing tell,
    or, from the filter's journal, when the filter had the whole message: that is never before the line,
    whose time is `begun`, and its microseconds are not those of the ID, which `arrival` ends with.
    """
    moments = sorted(told)
    if arrival in moments:
        return arrival
    return next((one for one in moments if one >= begun and (one - arrival) % SECOND), None)
