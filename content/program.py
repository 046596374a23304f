"""Programs: nothing to open, unless one is a self-extracting archive."""

from __future__ import annotations

from mailweir.content.item import Item
from mailweir.content.sniff import embedded_archive
from mailweir.content.walk import Walk


def look(walk: Walk, item: Item) -> None:
    """Open the archive that follows the program, under the program's own name."""
    at, format_ = embedded_archive(item.data)
    if at < 0:
        return
    inside = Item(item.part, item.name, item.data[at:] if at else item.data, item.depth, item.type)
    walk.open(inside, format_)
