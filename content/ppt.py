"""PowerPoint 97 to 2003 presentations ([MS-PPT]): encryption."""

from __future__ import annotations

import olefile

from mailweir.content.item import Item
from mailweir.content.walk import Walk

_ENCRYPTED = b"\xdf\xc4\xd1\xf3"


def inspect(walk: Walk, item: Item, ole: olefile.OleFileIO, path: list[str]) -> None:
    """The Current User stream says whether the presentation is encrypted."""
    user = [*path[:-1], "Current User"]
    if ole.exists(user) and ole.openstream(user).read(16)[12:16] == _ENCRYPTED:
        walk.found("encrypted-office", item, "password")
