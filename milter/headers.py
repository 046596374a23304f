"""Reads single header fields: the few that the records show, without parsing the message.

Everything here is fast, and safe with hostile input: lengths are bounded, charsets are only those that
decode bytes to text, and no input raises.
"""

from __future__ import annotations

import base64
import binascii
import quopri
import re

from mailweir import charsets

LONGEST = 4096  # bytes of a field that are looked at; RFC 5322 lines end at 998
_ENCODED = re.compile(rb"=\?([\w.:+-]{1,40})(?:\*[\w-]{1,20})?\?([BbQq])\?([^?]*)\?=")  # RFC 2047, RFC 2231
_FOLD = re.compile(rb"\r?\n")


def text_of(value: bytes, longest: int = LONGEST) -> str:
    """A field's value for people: unfolded, encoded words decoded; invalid bytes as surrogate escapes."""
    value = _FOLD.sub(b"", value[:longest]).strip()
    if b"=?" not in value:
        return value.decode("utf-8", "surrogateescape")
    return _decode_words(value)


def _decode_words(value: bytes) -> str:
    """Neighbouring words of one charset are joined before decoding, for senders that cut characters apart."""
    parts: list[tuple[str, bytes]] = []  # charset ("" for plain text) and bytes
    position = 0
    for word in _ENCODED.finditer(value):
        between = value[position : word.start()]
        position = word.end()
        if between and (between.strip() or not parts):
            parts.append(("", between))
        charset, payload = word[1].decode("ascii").lower(), _payload(word[2], word[3])
        if parts and parts[-1][0] == charset:
            parts[-1] = (charset, parts[-1][1] + payload)
        else:
            parts.append((charset, payload))
    parts.append(("", value[position:]))
    return "".join(_decode(part, charset) for charset, part in parts)


def _payload(encoding: bytes, text: bytes) -> bytes:
    if encoding in b"Qq":
        return quopri.decodestring(text, header=True)
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4))
    except binascii.Error:
        return text


def _decode(data: bytes, charset: str) -> str:
    text = charsets.decode(data, charset, "replace") if charset else None
    return data.decode("utf-8", "surrogateescape") if text is None else text


def message_id_of(value: bytes) -> str:
    """The Message-ID as the log shows it: <left@right> without comments or folds."""
    found = re.search(rb"<[^<>\s]+>", value[:LONGEST])
    return (found[0] if found else value[:LONGEST].strip()).decode("utf-8", "surrogateescape")
