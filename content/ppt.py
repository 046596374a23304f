"""PowerPoint 97 to 2003 presentations ([MS-PPT]): encryption, and the storages kept within its records."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import olefile

from mailweir.content import inflate, office_unlock
from mailweir.content.item import Item
from mailweir.content.walk import Walk

_ENCRYPTED = b"\xdf\xc4\xd1\xf3"
_OBJECT, _CRYPT_SESSION = 0x1011, 0x2F14


def inspect(walk: Walk, item: Item, ole: olefile.OleFileIO, path: list[str]) -> None:
    """Report encryption; look at embedded objects and the VBA project, which are compressed storages."""
    user = [*path[:-1], "Current User"]
    locked = ole.exists(user) and ole.openstream(user).read()[12:16] == _ENCRYPTED
    data = ole.openstream(path).read()
    if locked or any(kind == _CRYPT_SESSION for kind, _, _ in _records(data)):
        if len(path) > 1 or not office_unlock.unlock(walk, item):
            walk.found("encrypted-office", item, "password")
        return
    for index, (kind, instance, body) in enumerate(_records(data)):
        if kind == _OBJECT:
            content = inflate.whole(walk.budget, [body[4:]], len(body)) if instance else body
            walk.member(item, f"object{index}", content)


def _records(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Type, instance and body of the outermost records."""
    at = 0
    while at + 8 <= len(data):
        version, kind, length = struct.unpack_from("<2HL", data, at)
        yield kind, version >> 4, data[at + 8 : at + 8 + length] if kind in (_OBJECT, _CRYPT_SESSION) else b""
        at += 8 + length
