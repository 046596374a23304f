"""Text in UTF-16, looked at as the same text in UTF-8."""

from __future__ import annotations

from dataclasses import replace

from mailweir.content import text
from mailweir.content.item import Item
from mailweir.content.walk import Walk

_MAX = 1 << 24


def look(walk: Walk, item: Item) -> None:
    """Decode by the byte order mark; what is not text after all has no finding."""
    if len(item.data) <= _MAX:
        text.look(
            walk, replace(item, data=item.data[:].decode("utf-16", "replace").encode("utf-8", "replace"))
        )
