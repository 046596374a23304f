"""Content-Transfer-Encoding undone, as leniently as mail programs do it, in pieces when the part is large."""

from __future__ import annotations

import binascii
from collections.abc import Callable

from mailweir.content import uu
from mailweir.content.item import IN_MEMORY, WINDOW, Buffer, Collector, forget

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_OTHER = bytes(set(range(256)) - set(_ALPHABET))
_PIECE = 3 << 18  # a multiple of 4 and below IN_MEMORY


def decode(data: Buffer, start: int, end: int, encoding: str, take: Callable[[int], None]) -> Buffer:
    """The decoded bytes between start and end. Never raises for malformed content; take counts them."""
    if encoding == "base64":
        if end - start <= IN_MEMORY:
            plain = base64(data[start:end])
            take(len(plain))
            return plain
        return _large(data, start, end, take)
    raw = data[start:end] if end - start <= IN_MEMORY else _copied(data, start, end)
    if encoding == "quoted-printable":
        raw = binascii.a2b_qp(raw)
    elif encoding in ("x-uuencode", "uuencode", "x-uue"):
        raw = next((content for _, content in uu.files(raw)), raw)
    take(len(raw))
    return raw


def base64(raw: bytes) -> bytes:
    """Bytes outside of the alphabet are passed over; padding within starts a new run, as some senders do."""
    plain = b""
    for run in raw.split(b"=") if b"=" in raw[:-4] else [raw]:
        letters = run.translate(None, _OTHER)
        if len(letters) % 4 == 1:
            letters = letters[:-1]
        plain += binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))
    return plain


def _large(data: Buffer, start: int, end: int, take: Callable[[int], None]) -> Buffer:
    collector = Collector(take)
    rest = b""
    for at in range(start, end, _PIECE):
        letters = rest + data[at : min(at + _PIECE, end)]
        if b"=" not in letters:
            letters = letters.translate(None, _OTHER)
            whole = len(letters) // 4 * 4
            letters, rest = letters[:whole], letters[whole:]
        else:
            rest = b""
        collector.write(base64(letters))
        if (at - start) % WINDOW < _PIECE:
            forget(data)
    collector.write(base64(rest))
    forget(data)
    return collector.buffer()


def _copied(data: Buffer, start: int, end: int) -> Buffer:
    collector = Collector()
    for at in range(start, end, _PIECE):
        collector.write(data[at : min(at + _PIECE, end)])
    forget(data)
    return collector.buffer()
