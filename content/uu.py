"""Files that stand uuencoded within text, as old mail programs send them."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator

from mailweir.content.item import Buffer

_BEGIN = re.compile(rb"^begin(?:-base64)? ([0-7]{3,4}) ([^\r\n]{1,255})\r?\n", re.M)


def files(data: Buffer) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file whose first line really is uuencoded."""
    at = 0
    while begin := _BEGIN.search(data, at):
        at = begin.end()
        pieces = bytearray()
        encoded64 = begin[0].startswith(b"begin-")
        while 0 <= (stop := data.find(b"\n", at)) <= at + 200:
            line = data[at:stop].rstrip(b"\r")
            if line in (b"end", b"===="):
                break
            piece = _line(line, encoded64)
            if piece is None:
                break
            pieces += piece
            at = stop + 1
        if pieces:
            yield begin[2].decode("utf-8", "surrogateescape"), bytes(pieces)


def _line(line: bytes, encoded64: bool) -> bytes | None:
    try:
        if encoded64:
            return binascii.a2b_base64(line)
        if not line or line in (b"`", b" "):
            return b""
        needed = (line[0] - 32 & 63) * 4 // 3
        if len(line) - 1 > needed + 6 or any(not 32 <= byte <= 96 for byte in line):
            return None
        # Lines whose trailing blanks were lost on the way are filled up; a checksum character is dropped.
        return binascii.a2b_uu(line[: -(-needed // 4) * 4 + 1])
    except binascii.Error:
        return None
