"""PowerPoint 97 to 2003 presentations ([MS-PPT]): encryption, and the storages kept within its records."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import olefile

from mailweir.content import office_unlock
from mailweir.content.item import Item
from mailweir.content.trouble import Corrupt
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
            content = _unpacked(walk, body) if instance else body
            walk.member(item, f"object{index}", content)


def _records(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Type, instance and body of the outermost records."""
    at = 0
    while at + 8 <= len(data):
        version, kind, length = struct.unpack_from("<2HL", data, at)
        yield kind, version >> 4, data[at + 8 : at + 8 + length] if kind in (_OBJECT, _CRYPT_SESSION) else b""
        at += 8 + length


def _unpacked(walk: Walk, body: bytes) -> bytes:
    take = walk.budget.taker(len(body))
    unpack = zlib.decompressobj()
    out = bytearray()
    piece = body[4:]
    try:
        while piece and not unpack.eof:
            plain = unpack.decompress(piece, 1 << 18)
            take(len(plain))
            out += plain
            piece = unpack.unconsumed_tail
    except zlib.error as error:
        raise Corrupt(f"an embedded object: {error}") from error
    return bytes(out)
