"""Word 97 to 2003 documents and their forerunners ([MS-DOC]): encryption and tracked revisions."""

from __future__ import annotations

import struct

import olefile

from mailweir.content.item import Item
from mailweir.content.walk import Walk


def inspect(walk: Walk, item: Item, ole: olefile.OleFileIO, path: list[str]) -> None:
    """Read the file information block at the start of the WordDocument stream."""
    fib = ole.openstream(path).read(2048)
    if len(fib) < 12:
        return
    flags = struct.unpack_from("<H", fib, 10)[0]
    if flags & 0x0100:
        walk.found("encrypted-office", item, "XOR" if flags & 0x8000 else "password")
