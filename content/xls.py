"""Excel workbooks in BIFF ([MS-XLS] and its forerunners): encryption and macro sheets."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import olefile

from mailweir.content.item import Item
from mailweir.content.walk import Walk

_FILEPASS, _BOUNDSHEET, _BOF = 0x2F, 0x85, 0x809


def records(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and body of each record."""
    at = 0
    while at + 4 <= len(data):
        kind, length = struct.unpack_from("<2H", data, at)
        yield kind, data[at + 4 : at + 4 + length]
        at += 4 + length


def inspect(walk: Walk, item: Item, ole: olefile.OleFileIO, path: list[str]) -> None:
    """Look at the records of the workbook stream."""
    for kind, body in records(ole.openstream(path).read()):
        if kind == _FILEPASS:
            walk.found("encrypted-office", item, "password")
            return
        if kind == _BOUNDSHEET and len(body) > 5 and body[5] == 1:
            walk.found("macro", item, "Excel 4.0 macro sheet")
