"""Outlook's .msg files ([MS-OXMSG]): attachments, attached messages, and the bodies."""

from __future__ import annotations

import olefile

from mailweir.content.item import Item
from mailweir.content.walk import Walk

_CONTENT = "__substg1.0_37010102"
_NAMES = ("__substg1.0_3707001f", "__substg1.0_3707001e", "__substg1.0_3704001f", "__substg1.0_3704001e")
_BODIES = {
    "__substg1.0_1000001f": "body.txt",
    "__substg1.0_1000001e": "body.txt",
    "__substg1.0_10130102": "body.html",
    "__substg1.0_1013001f": "body.html",
}


def inspect(walk: Walk, item: Item, ole: olefile.OleFileIO, paths: list[list[str]]) -> None:
    """Look at each attachment of the message and of messages attached to it."""
    present = {tuple(part.lower() for part in path): path for path in paths}
    for key, path in present.items():
        last = key[-1]
        if last != _CONTENT and last not in _BODIES:
            continue
        content = ole.openstream(path).read()
        walk.budget.take(len(content))
        name = _BODIES.get(last) or _name(ole, present, key[:-1]) or "attachment"
        if last in _BODIES and last.endswith("1f"):
            content = content.decode("utf-16-le", "replace").encode()
        walk.member(item, name, content)


def _name(ole: olefile.OleFileIO, present: dict[tuple[str, ...], list[str]], parent: tuple[str, ...]) -> str:
    for stream in _NAMES:
        path = present.get((*parent, stream))
        if path:
            raw = ole.openstream(path).read()
            return raw.decode("utf-16-le" if stream.endswith("f") else "cp1252", "replace").rstrip("\0")
    return ""
