"""ActiveMime, in which Word and Excel keep an OLE file when they save as HTML or XML: zlib after a header."""

from __future__ import annotations

import re
import zlib

from mailweir.content.item import Item
from mailweir.content.trouble import Corrupt
from mailweir.content.walk import Walk

_ZLIB = re.compile(rb"\x78[\x01\x5e\x9c\xda]")


def look(walk: Walk, item: Item) -> None:
    """Look at the OLE file within."""
    start = _ZLIB.search(item.data[:256])
    if not start:
        raise Corrupt("no compressed data after the header")
    take = walk.budget.taker(len(item.data))
    unpack = zlib.decompressobj()
    out = bytearray()
    piece = item.data[start.start() :]
    try:
        while piece and not unpack.eof:
            plain = unpack.decompress(piece, 1 << 18)
            take(len(plain))
            out += plain
            piece = unpack.unconsumed_tail
    except zlib.error as error:
        raise Corrupt(str(error)) from error
    walk.member(item, "activemime", bytes(out))
