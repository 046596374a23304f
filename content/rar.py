"""RAR 1.5 to 4 and RAR 5 archives: their block headers say what is encrypted; libarchive unpacks the rest."""

from __future__ import annotations

import contextlib

from mailweir.content import archives, rar_headers, rar_tool
from mailweir.content.item import Item
from mailweir.content.trouble import Corrupt, Unsupported
from mailweir.content.walk import Walk


def look(walk: Walk, item: Item) -> None:
    """Report encryption; open what is not encrypted."""
    summary = rar_headers.read(item.data, item.cuts)
    if summary.encryption:
        if not rar_tool.unlock(walk, item):
            walk.found("encrypted-rar", item, summary.encryption)
        return
    if summary.split:
        raise Unsupported("one volume of an archive in several")
    if not summary.complete and not summary.files:
        raise Corrupt("its headers are damaged")
    walk.budget.announce(summary.files, summary.size)
    walk.budget.ratio(len(item.data), summary.size)
    format_ = "rar5" if item.data[:8] == rar_headers.RAR5 else "rar"
    if not summary.complete:
        with contextlib.suppress(Corrupt, Unsupported):  # what comes before the damage
            archives.members(walk, item, format_)
        raise Corrupt("cut off")
    try:
        # Volumes one after the other are to libarchive one archive, but for its end.
        archives.members(walk, item, format_, enough=summary.files if item.cuts else None)
    except Unsupported:
        rar_tool.members(walk, item)
    except Corrupt:
        if not summary.old:
            raise
        rar_tool.members(walk, item)
