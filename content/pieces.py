"""Pieces of a split file (a.7z.001, a.7z.002 …) that came in one message: put together, then looked at.

7-Zip and others cut a finished archive anywhere, so a piece alone shows little; all of them are the archive.
"""

from __future__ import annotations

import re

from mailweir.content.item import Collector, Item, windows
from mailweir.content.walk import Walk

_PIECE = re.compile(r"(.+\.(?:7z|zip|rar|tar|gz|bz2|xz))\.(\d{3})\Z", re.I | re.S)


class Pieces:
    """The pieces among the parts of one message, kept until all parts are known."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._kept: dict[str, list[tuple[int, Item]]] = {}  # by the whole's name

    def take(self, item: Item) -> bool:
        """Whether it is a piece, and so looked at later."""
        named = _PIECE.match(item.name)
        if named is None:
            return False
        self._kept.setdefault(named[1].lower(), []).append((int(named[2]), item))
        return True

    def look(self) -> None:
        """Look at each whole; where a piece is missing, or there are two of a number, at what there is."""
        for kept in self._kept.values():
            kept.sort(key=lambda one: one[0])
            items = [item for _, item in kept]
            if len(items) > 1 and [number for number, _ in kept] == list(range(1, len(items) + 1)):
                whole = self._joined(items)
                self._walk.opened(whole)
                self._walk.look(whole)
                continue
            for number, item in kept:
                if number == 1:  # with the archive's beginning, it may tell what it is of
                    self._walk.look(item)
                else:
                    self._walk.found("unsupported", item, "one part of a split archive")

    def _joined(self, items: list[Item]) -> Item:
        first = items[0]
        out = Collector(self._walk.budget.take)
        for item in items:
            for window in windows(item.data):
                out.write(window)
        part, name = first.part.rpartition(".")[0], first.name.rpartition(".")[0]
        return Item(part, name, out.buffer(), first.depth, first.type)
