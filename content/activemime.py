"""ActiveMime, in which Word and Excel keep an OLE file when they save as HTML or XML: zlib after a header."""

from __future__ import annotations

import re

from mailweir.content import inflate
from mailweir.content.item import Item
from mailweir.content.trouble import Corrupt
from mailweir.content.walk import Walk

_ZLIB = re.compile(rb"\x78[\x01\x5e\x9c\xda]")


def look(walk: Walk, item: Item) -> None:
    """Look at the OLE file within."""
    start = _ZLIB.search(item.data[:256])
    if not start:
        raise Corrupt("no compressed data after the header")
    content = inflate.whole(walk.budget, [item.data[start.start() :]], len(item.data))
    walk.member(item, "activemime", content)
