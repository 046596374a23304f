"""Postfix queue IDs: telling long from short ones and reading the time that is in them.

A long ID (`enable_long_queue_ids = yes`) carries its file's creation time and is never used twice; a short
one carries only the microseconds within some second, then the inode, and is reused.
"""

from __future__ import annotations

DIGITS = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"  # Postfix's safe_ultostr(), base 52
SEPARATOR = "z"  # before the inode, which is written in base 51 and so never holds one itself
SECONDS_WIDTH, MICROS_WIDTH = 6, 4  # in characters, MQID_LG_* in Postfix's mail_queue.h
SHORTEST_LONG = SECONDS_WIDTH + MICROS_WIDTH + len(SEPARATOR) + 1
SHORT_MICROS_WIDTH = 5  # hexadecimal

_VALUE = {character: value for value, character in enumerate(DIGITS)}
_HEX = frozenset("0123456789ABCDEF")
_MILLION = 1_000_000


def _number(text: str) -> int:
    number = 0
    for character in text:
        number = number * len(DIGITS) + _VALUE[character]
    return number


def arrival_us(queue_id: str) -> int | None:
    """Microseconds since 1970 at which the queue file was made; None for a short or malformed ID."""
    stamp, separator, inode = queue_id.rpartition(SEPARATOR)
    seconds, micros = stamp[:-MICROS_WIDTH], stamp[-MICROS_WIDTH:]
    if not separator or not inode or len(seconds) < SECONDS_WIDTH:
        return None
    try:
        fraction = _number(micros)
        when = _number(seconds)
        _number(inode)
    except KeyError:
        return None
    return when * _MILLION + fraction if fraction < _MILLION and when < 1 << 40 else None


def short_micros(queue_id: str) -> int | None:
    """The microseconds within its second at which a short ID's file was made; None when it is not one."""
    if len(queue_id) <= SHORT_MICROS_WIDTH or not _HEX.issuperset(queue_id):
        return None
    micros = int(queue_id[:SHORT_MICROS_WIDTH], 16)
    return micros if micros < _MILLION else None


def is_queue_id(text: str) -> bool:
    """Whether the text can be a queue ID of either kind."""
    return arrival_us(text) is not None or short_micros(text) is not None
