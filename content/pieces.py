"""Pieces of one archive in one message (a.7z.001, a.part1.rar, a.z01 …): put together, then looked at.

A piece alone shows little; all of them are the archive.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from mailweir.content.item import Collector, Item, windows
from mailweir.content.rar_headers import is_one_of_several
from mailweir.content.walk import Walk
from mailweir.content.zip_volumes import is_last_of_several

_LAST = 1 << 16  # sorts behind every number that a piece can have
_CUT = re.compile(r"(.+\.(?:7z|zip|rar|tar|gz|bz2|xz))\.(\d{3})\Z", re.I | re.S)  # cut anywhere
_ZIP = re.compile(r"(.+)\.(?:z(\d{2,3})|zip)\Z", re.I | re.S)  # .zip is the last, with the directory
_RAR = re.compile(r"(.+)\.part(\d{1,5})\.rar\Z", re.I | re.S)
_OLD_RAR = re.compile(r"(.+)\.(?:rar|([r-z])(\d{2}))\Z", re.I | re.S)  # .rar, .r00 … .r99, .s00 …


def place(item: Item) -> tuple[str, int] | None:
    """The name of the whole and this piece's number, which begin at 1; None for what is no piece."""
    name = item.name
    if named := _CUT.match(name):
        return named[1], int(named[2])
    if named := _ZIP.match(name):
        if named[2]:
            return f"{named[1]}.zip", int(named[2])
        return (name, _LAST) if is_last_of_several(item.data) else None
    if (named := _RAR.match(name)) and is_one_of_several(item.data):
        return f"{named[1]}.rar", int(named[2])
    if (named := _OLD_RAR.match(name)) and is_one_of_several(item.data):
        number = 1 if not named[2] else 2 + (ord(named[2].lower()) - ord("r")) * 100 + int(named[3])
        return f"{named[1]}.rar", number
    return None


class Pieces:
    """The pieces among the parts of one message, kept until all parts are known."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._kept: dict[str, list[tuple[int, str, Item]]] = {}  # by the whole's name, in lower case

    def take(self, item: Item) -> bool:
        """Whether it is a piece, and so looked at later."""
        if (placed := place(item)) is None:
            return False
        whole, number = placed
        self._kept.setdefault(whole.lower(), []).append((number, whole, item))
        return True

    def look(self) -> None:
        """Look at each whole; where a piece is missing, or there are two of a number, at what there is."""
        for kept in self._kept.values():
            kept.sort(key=lambda one: one[0])
            items = [item for _, _, item in kept]
            if len(items) > 1 and _is_complete([number for number, _, _ in kept], items[0].name):
                whole = _joined(kept[0][1], items, self._walk.budget.take)
                self._walk.opened(whole)
                self._walk.look(whole)
                continue
            for number, _, item in kept:
                if number > 1 and _CUT.match(item.name):  # only the beginning may tell what it is of
                    self._walk.found("unsupported", item, "one part of a split archive")
                else:
                    self._walk.look(item)


def _is_complete(numbers: list[int], first: str) -> bool:
    """Whether none is missing; what is missing at the end of others, the archive's reader notices."""
    if _ZIP.match(first):
        return numbers == [*range(1, len(numbers)), _LAST]
    return numbers == list(range(1, len(numbers) + 1))


def _joined(name: str, items: list[Item], take: Callable[[int], None]) -> Item:
    out = Collector(take)
    starts = []
    for item in items:
        starts.append(out.size)
        for window in windows(item.data):
            out.write(window)
    first = items[0]
    part = first.part[: len(first.part) - len(first.name)] + name
    cuts = () if _CUT.match(first.name) else tuple(starts)  # cut anywhere, they mean nothing to the archive
    return Item(part, name, out.buffer(), first.depth, first.type, cuts=cuts)
